import type { INestApplication } from '@nestjs/common';
import { FilesSweeper } from 'nestjs-files/maintenance';
import type { SweepReport } from 'nestjs-files/maintenance';
import { tcpProxy } from '../../support/tcp-proxy.js';
import type { Cut, TcpProxy } from '../../support/tcp-proxy.js';
import { startCrashPortal } from '../portal/crash-portal.js';
import type { Stage } from '../stage.js';
import type { Subject } from './subject.js';

/**
 * A portal whose connection to the database server is cut at each statement: before it is sent, when it is, or when it
 * is answered.
 */
export class CutPortal implements Subject {
  readonly faults: readonly Cut[] = ['before', 'sent', 'reply'];

  private constructor(
    private readonly proxy: TcpProxy,
    private readonly app: INestApplication,
    readonly url: string,
  ) {}

  static async start({ kind, options, bytes }: Stage): Promise<CutPortal> {
    const proxy = await tcpProxy(kind as 'postgres' | 'mariadb', options as { host: string; port: number });
    const database = { ...options, host: '127.0.0.1', port: proxy.port } as typeof options;
    const { app, url } = await startCrashPortal({ database, storage: bytes.open() });
    return new CutPortal(proxy, app, url);
  }

  count(): void {
    this.proxy.arm();
  }

  points(): readonly string[] {
    return this.proxy.statements;
  }

  arm(point: number, cut: string): void {
    this.proxy.arm({ at: point, cut: cut as Cut });
  }

  recover(): boolean {
    const { fired } = this.proxy;
    this.proxy.disarm();
    return fired;
  }

  sweep(): Promise<SweepReport> {
    return this.app.get(FilesSweeper).sweep();
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.proxy.close();
  }
}
