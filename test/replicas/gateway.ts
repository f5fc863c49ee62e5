import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../scripts/free-ports.mjs';

const PATIENCE = 60_000;

/**
 * A second gateway of the Ceph that `npm run test:replicas` has started, which may be killed: the objects are not in
 * it.
 */
export class Gateway {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly configuration: string,
    private readonly port: number,
  ) {}

  static async start(configuration: string): Promise<Gateway> {
    const gateway = new Gateway(configuration, await freePort());
    await gateway.start();
    return gateway;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const options = [
      `--rgw_frontends=beast endpoint=127.0.0.1:${this.port}`,
      '--rgw_enable_apis=s3',
      '--rgw_run_sync_thread=false',
    ];
    const started = spawn('radosgw', ['-f', '-n', 'client.rgw.b', '-c', this.configuration, ...options], {
      stdio: 'ignore',
    });
    this.#process = started;
    for (const end = performance.now() + PATIENCE; !(await answers(this.endpoint)); await delay(50))
      if (started.exitCode !== null || performance.now() > end) throw new Error('The gateway did not start');
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill('SIGKILL');
    await gone;
  }
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(endpoint)).status < 500;
  } catch {
    return false;
  }
}
