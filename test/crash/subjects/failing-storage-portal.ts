import type { INestApplication } from '@nestjs/common';
import { FilesSweeper } from 'nestjs-files/maintenance';
import type { SweepReport } from 'nestjs-files/maintenance';
import { faultyStorage } from 'nestjs-files/testing';
import type { FaultMoment, FaultyStorage } from 'nestjs-files/testing';
import { startCrashPortal } from '../portal/crash-portal.js';
import type { Stage } from '../stage.js';
import type { Subject } from './subject.js';

/**
 * A portal whose storage fails at each call, before or after it has done what it was asked to; at this call, or from it
 * on.
 */
export class FailingStoragePortal implements Subject {
  readonly faults = ['once before', 'once after', 'from before', 'from after'];
  #from = 0;
  #point = 0;

  private constructor(
    private readonly storage: FaultyStorage,
    private readonly app: INestApplication,
    readonly url: string,
  ) {}

  static async start({ options, bytes }: Stage): Promise<FailingStoragePortal> {
    const storage = faultyStorage(bytes.open());
    const { app, url } = await startCrashPortal({ database: options, storage });
    return new FailingStoragePortal(storage, app, url);
  }

  count(): void {
    this.#from = this.storage.calls.length;
  }

  points(): readonly string[] {
    return this.storage.calls.slice(this.#from);
  }

  arm(point: number, fault: string): void {
    this.count();
    this.#point = point;
    const [how, moment] = fault.split(' ') as ['once' | 'from', FaultMoment];
    this.storage[how === 'once' ? 'failAt' : 'failFrom'](point, moment);
  }

  recover(): boolean {
    this.storage.heal();
    return this.points().length >= this.#point;
  }

  sweep(): Promise<SweepReport> {
    return this.app.get(FilesSweeper).sweep();
  }

  async close(): Promise<void> {
    await this.app.close();
  }
}
