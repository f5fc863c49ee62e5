import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { JobHost } from '../../../lib/jobs/job-engine.js';
import type { JobHandler } from '../../../lib/jobs/job-handlers.js';
import { DueWatch } from '../../../lib/jobs/leases/due-watch.js';
import type { JobStore, LeasedJob } from '../../../lib/jobs/leases/job-store.js';
import { LeaseEngine } from '../../../lib/jobs/leases/lease-engine.js';
import type { Boss } from '../../../lib/jobs/pg-boss/boss.js';
import { PgBossEngine } from '../../../lib/jobs/pg-boss/pg-boss-engine.js';
import { gate } from '../../support/gate.js';

const handler: JobHandler = {
  name: 'note',
  attempts: 3,
  backoff: 1,
  timeout: 1_000,
  concurrency: 1,
  unit: true,
  run: () => undefined,
} as never;
const handlers = new Map([[handler.name, handler]]);

const hostWith = (shutdownTimeout: number, run: JobHost['run'] = () => Promise.resolve()): JobHost =>
  ({ known: handlers, handlers, shutdownTimeout, run }) as Partial<JobHost> as JobHost;

describe('the end of an engine', () => {
  it('does not wait for a database that does not answer pg-boss', async () => {
    const fetch = vi.fn<Boss['fetch']>(() => new Promise(() => undefined));
    const boss = { fetch, createQueue: async () => undefined, getQueue: async () => ({}) } as Partial<Boss> as Boss;
    const running = await new PgBossEngine(boss, 'pgboss', 10).start(hostWith(20));
    expect(fetch).toHaveBeenCalledTimes(1);
    await running.stop();
  });

  it('gives jobs back that arrive when no time is left, and does not run them', async () => {
    const [asked, taken] = [gate(), gate()];
    const job: LeasedJob = {
      id: '1',
      name: 'note',
      data: { payload: 'x' },
      attempts: 1,
      lastError: null,
      leaseOwner: 'o',
    };
    const store = {
      isDue: async () => true,
      take: async () => {
        asked.open();
        await taken.opened;
        return [job];
      },
      giveBack: vi.fn<JobStore['giveBack']>(async () => undefined),
    } satisfies Partial<JobStore>;
    const run = vi.fn<JobHost['run']>(async () => undefined);
    const engine = new LeaseEngine({
      poll: 10,
      lease: 60_000,
      write: async () => undefined,
      open: () => store as Partial<JobStore> as JobStore,
    });
    const running = await engine.start(hostWith(0, run));
    await asked.opened;
    const stopped = running.stop();
    setTimeout(() => taken.open(), 20);
    await stopped;
    expect(store.giveBack.mock.calls).toEqual([[job, 0, null, false]]);
    expect(run).not.toHaveBeenCalled();
  });
});

describe('a watch for due jobs', () => {
  const error = vi.spyOn(Logger.prototype, 'error');
  afterEach(() => error.mockReset());

  /** A watch that is looking, until its look fails. */
  const looking = () => {
    const failing = gate();
    const isDue = async (): Promise<boolean> => {
      await failing.opened;
      throw new Error('the connection has ended');
    };
    const watch = new DueWatch({ isDue }, { poll: 5, handled: [], names: () => ['note'], found: () => undefined });
    watch.start();
    return { watch, failing };
  };

  it('waits for the look that is under way, and does not complain of one that fails then', async () => {
    const { watch, failing } = looking();
    let isOver = false;
    const stopped = watch.stop().then(() => (isOver = true));
    await Promise.resolve();
    expect(isOver).toBe(false);
    failing.open();
    await stopped;
    expect(error).not.toHaveBeenCalled();
  });

  it.each(Array.from({ length: 12 }, (_, at) => at))(
    'looks again when it is woken %s ticks after it has looked',
    async (ticks) => {
      let looks = 0;
      const isDue = async (): Promise<boolean> => {
        if (++looks === 1) void wakeLater();
        return false;
      };
      const watch = new DueWatch(
        { isDue },
        { poll: 600_000, handled: [], names: () => ['note'], found: () => undefined },
      );
      const wakeLater = async (): Promise<void> => {
        for (let tick = 0; tick < ticks; tick++) await undefined;
        watch.wake();
      };
      watch.start();
      await expect.poll(() => looks).toBe(2);
      await watch.stop();
    },
  );

  it('complains once of looks that fail', async () => {
    const { watch, failing } = looking();
    failing.open();
    await expect.poll(() => error.mock.calls).toHaveLength(1);
    await watch.stop();
    expect(error).toHaveBeenCalledTimes(1);
  });
});
