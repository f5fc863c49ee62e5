import type { INestApplication } from '@nestjs/common';
import { FilesSweeper } from 'nestjs-files/maintenance';
import type { SweepReport } from 'nestjs-files/maintenance';
import { startCrashPortal } from '../portal/crash-portal.js';
import { watchedS3 } from '../s3-bytes.js';
import type { Watch } from '../s3-bytes.js';
import type { Stage } from '../stage.js';
import type { Subject } from './subject.js';

/**
 * A portal whose way to its bucket breaks at each request: the request does not arrive, or its reply does not; at this
 * one, or from it on.
 */
export class CutOffPortal implements Subject {
  readonly faults = ['once request', 'once reply', 'from request', 'from reply'];
  #names: string[] = [];
  #point = 0;
  #fault = '';

  private constructor(
    private readonly app: INestApplication,
    readonly url: string,
  ) {}

  static async start({ options, bytes }: Stage): Promise<CutOffPortal> {
    let portal: CutOffPortal | undefined;
    const watch: Watch = (name, send) => (portal ? portal.#pass(name, send) : send());
    const storage = watchedS3(bytes.place.s3 ?? { bucket: '', prefix: '' }, watch);
    const { app, url } = await startCrashPortal({ database: options, storage });
    return (portal = new CutOffPortal(app, url));
  }

  count(): void {
    this.#names = [];
  }

  points(): readonly string[] {
    return this.#names;
  }

  arm(point: number, fault: string): void {
    [this.#names, this.#point, this.#fault] = [[], point, fault];
  }

  recover(): boolean {
    const hasCome = this.#names.length >= this.#point;
    [this.#point, this.#fault] = [0, ''];
    return hasCome;
  }

  sweep(): Promise<SweepReport> {
    return this.app.get(FilesSweeper).sweep();
  }

  async close(): Promise<void> {
    await this.app.close();
  }

  async #pass<T>(name: string, send: () => Promise<T>): Promise<T> {
    const at = this.#names.push(name);
    const [how, what] = this.#fault.split(' ');
    const isCut = this.#point > 0 && (how === 'once' ? at === this.#point : at >= this.#point);
    if (!isCut) return send();
    if (what === 'reply') await send();
    throw Object.assign(new Error('the connection broke'), { code: 'ECONNRESET' });
  }
}
