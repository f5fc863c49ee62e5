import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSourceOptions } from 'typeorm';
import type { OpenDatabase, TestDatabase } from '../support/databases.js';
import { newDirectory } from '../support/files-directory.js';
import { expectOwnership } from '../support/ownership-agreement.js';
import { tcpProxy } from '../support/tcp-proxy.js';
import type { TcpProxy } from '../support/tcp-proxy.js';
import { Cuts } from './cuts.js';
import type { Measure } from './measure.js';
import { wronglyPersisted } from './persisted.js';
import { Random } from './random.js';
import { Shelf, SOAK_ENTITIES } from './soak-app.js';
import { SoakClient } from './soak-client.js';
import { SoakProcess } from './soak-process.js';
import type { Tally } from './tally.js';

/** What the application has in hand when nobody asks anything of it. */
export interface Rest extends Measure {
  readonly handles: readonly string[] | undefined;
}

interface Plan {
  readonly clients: number;
  readonly poolSize: number;
  readonly seed: number;
}

const PATIENCE = 30_000;

/**
 * What is at work beside the server, the pipe to whoever started it, and the pool: a timer, say, or a file that is
 * written.
 */
export function workOf({ resources, pool }: Measure): string[] {
  const expected: Record<string, number> = { TCPServerWrap: 1, TCPSocketWrap: pool?.total ?? 0, PipeWrap: Infinity };
  return Object.entries(resources).flatMap(([name, count]) =>
    count > (expected[name] ?? 0) ? [`${count} ${name}`] : [],
  );
}

function isBusy(measure: Measure): boolean {
  const { units, pool } = measure;
  return units.open > 0 || workOf(measure).length > 0 || (pool !== undefined && pool.idle !== pool.total);
}

/** The application, the clients that keep it busy, and what puts it out; and a look at its database past it. */
export class SoakWorld {
  private constructor(
    private readonly database: OpenDatabase,
    readonly isServer: boolean,
    private readonly root: string,
    private readonly proxy: TcpProxy | undefined,
    readonly cuts: Cuts | undefined,
    readonly process: SoakProcess,
    readonly clients: readonly SoakClient[],
  ) {}

  static async open(kind: TestDatabase, { clients, poolSize, seed }: Plan, tally: Tally): Promise<SoakWorld> {
    const database = await kind.open({ entities: SOAK_ENTITIES, poolSize: 2 });
    const plain = Object.entries(database.dataSource.options).filter(([, value]) =>
      ['string', 'number'].includes(typeof value),
    );
    const target = Object.fromEntries(plain) as unknown as DataSourceOptions & { host: string; port: number };
    const isServer = kind.kind === 'postgres';
    const proxy = isServer ? await tcpProxy('postgres', target) : undefined;
    const behind = proxy ? { ...target, host: '127.0.0.1', port: proxy.port } : target;
    const [directory, root] = [newDirectory(), join(newDirectory(), 'storage')];
    const started = await SoakProcess.start({ database: behind, root, seed, poolSize }, directory);
    const all = Array.from(
      { length: clients },
      (_, at) => new SoakClient(started.url, `c${at + 1}`, seed * 1000 + at, tally),
    );
    const cuts = proxy && new Cuts(proxy, new Random(seed));
    return new SoakWorld(database, isServer, root, proxy, cuts, started, all);
  }

  /** Load and faults for so long. */
  async storm(milliseconds: number, onTick: () => Promise<void>, tick: number): Promise<void> {
    await this.process.ask('disturb');
    this.cuts?.begin();
    const until = performance.now() + milliseconds;
    let failed = false;
    const isOver = () => failed || performance.now() >= until;
    const busy = Promise.all(this.clients.map((client) => client.run(isOver)));
    busy.catch(() => (failed = true));
    while (!isOver()) {
      await delay(Math.min(tick, Math.max(until - performance.now(), 0)));
      await onTick();
    }
    await busy;
    this.cuts?.end();
    await this.process.ask('calm');
  }

  /** Waits until what clients have left behind is done, and everybody has hung up. */
  async rest(): Promise<Rest> {
    for (const { wire } of this.clients) wire.hangUp();
    const patience = performance.now() + PATIENCE;
    for (;;) {
      await this.process.ask('hangUp');
      // Twice: what the first collection frees may hold what the second one does.
      await this.process.measure();
      const measure = await this.process.measure();
      if (!isBusy(measure) || performance.now() > patience)
        return { ...measure, handles: await this.process.handles() };
      await delay(200);
    }
  }

  /** Sweeps until nothing is left; what another sweep has claimed is free again after some seconds. */
  async sweep(): Promise<unknown> {
    const patience = performance.now() + PATIENCE;
    for (;;) {
      const report = await this.process.ask('sweep');
      const [{ left }] = (await this.database.dataSource.query('SELECT COUNT(*) AS "left" FROM files_intent')) as [
        { left: unknown },
      ];
      if (Number(left) === 0 || performance.now() > patience) return report;
      await delay(500);
    }
  }

  /**
   * How many connections of the application the server knows, by what they are doing; waits for those that are dead to
   * be buried.
   */
  async connections(expected: number): Promise<Record<string, number>> {
    const patience = performance.now() + PATIENCE;
    for (;;) {
      const rows = await this.database.read(
        `SELECT state, COUNT(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'soak' GROUP BY state`,
      );
      const found = Object.fromEntries(rows.map(({ state, count }) => [String(state), Number(count)]));
      if ((Object.keys(found).join() === 'idle' && found['idle'] === expected) || performance.now() > patience)
        return found;
      await delay(200);
    }
  }

  /** Reported equals persisted: in what way it does not. */
  wronglyPersisted(): Promise<string[]> {
    return wronglyPersisted(
      this.database.dataSource,
      this.root,
      this.clients.map(({ ledger }) => ledger),
    );
  }

  async expectOwnership(): Promise<void> {
    const shelves = await this.database.dataSource.getRepository(Shelf).find();
    const records = shelves.map(({ id, coverId, scanId }) => ({
      ownerType: 'shelf',
      ownerId: id,
      fileIds: [coverId, scanId].filter((fileId) => fileId !== null),
    }));
    await expectOwnership(this.database.dataSource, ['shelf'], records);
  }

  /** The storage's files among the handles. */
  filesAmong(handles: readonly string[]): string[] {
    return handles.filter((target) => target.startsWith(this.root));
  }

  async close(): Promise<void> {
    for (const { wire } of this.clients) wire.hangUp();
    await this.process.stop();
    await this.proxy?.close();
    await this.database.close();
  }
}
