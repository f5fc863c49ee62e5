import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reachableDatabases } from '../support/databases.js';
import type { Measure } from './measure.js';
import { tellSoak } from './soak-report.js';
import { SoakWorld, workOf } from './soak-world.js';
import type { Rest } from './soak-world.js';
import { Tally } from './tally.js';
import { growthPerMinute } from './trend.js';

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 600);
const CLIENTS = Number(process.env['SOAK_CLIENTS'] ?? 100);
const SEED = Number(process.env['SOAK_SEED'] ?? 1);
const POOL_SIZE = 5;

const MIB = 1024 * 1024;
const WARM_UP = Math.min(60, SECONDS / 3);
/** From the rest after the warm-up to that at the end. */
const MOST_KEPT = 3 * MIB;
/** In a minute, in the second half of the run. */
const MOST_GROWTH = { heap: MIB, rss: 4 * MIB };
// In the first minutes the engine still makes code, and room; before that many seconds, that hides all else.
const TELLING = 300;

// PostgreSQL, else SQLite.
const database = (await reachableDatabases('file', 'postgres')).at(-1)!;

describe(`${CLIENTS} clients for ${SECONDS} s, with faults, on ${database.name}`, () => {
  const tally = new Tally();
  const memory: { at: number; measure: Measure }[] = [];
  let world: SoakWorld;
  let first: Rest;
  let last: Rest;
  let growth: typeof MOST_GROWTH;

  beforeAll(
    async () => {
      world = await SoakWorld.open(database, { clients: CLIENTS, poolSize: POOL_SIZE, seed: SEED }, tally);
      const began = performance.now();
      const sample = async (): Promise<void> => {
        memory.push({ at: performance.now() - began, measure: await world.process.measure() });
      };
      const tick = Math.min(10_000, SECONDS * 50);
      await world.storm(WARM_UP * 1000, sample, tick);
      first = await world.rest();
      await world.storm((SECONDS - WARM_UP) * 1000, sample, tick);
      last = await world.rest();
      const growthOf = (what: 'heap' | 'rss') =>
        growthPerMinute(
          memory.flatMap(({ at, measure }) => (at > SECONDS * 500 ? [{ at, value: measure[what] }] : [])),
        );
      growth = { heap: growthOf('heap'), rss: growthOf('rss') };
      const cuts = world.cuts?.count ?? 0;
      console.log(
        tellSoak({
          name: database.name,
          seconds: SECONDS,
          tally,
          cuts,
          ledgers: world.clients.map(({ ledger }) => ledger),
          memory,
          growth,
          first,
          last,
        }),
      );
    },
    (SECONDS + 240) * 1000,
  );

  afterAll(() => world?.close());

  it('answers every request, and never with what cannot be', () => {
    expect(world.clients.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(world.clients.reduce((sum, { wire }) => sum + wire.hung, 0)).toBe(0);
  });

  it('answers most requests while servers and clients fail', () => {
    expect(tally.count((told) => told.startsWith('2'))).toBeGreaterThan(tally.total / 2);
    for (const [fault, count] of Object.entries(last.faults)) expect(count, fault).toBeGreaterThan(0);
  });

  it('keeps no unit open, and no timer', () => {
    expect(last.units.open).toBe(0);
    expect(workOf(last)).toEqual([]);
  });

  it('keeps no connection, and no lease: all of them can be lent at once', async () => {
    if (last.pool) {
      expect(last.pool).toEqual({ total: last.pool.total, idle: last.pool.total, waiting: 0 });
      expect(last.pool.total).toBeLessThanOrEqual(POOL_SIZE);
      expect(await world.connections(last.pool.total)).toEqual({ idle: last.pool.total });
    }
    await world.process.ask('lendAll');
  });

  it('keeps no file open', ({ skip }) => {
    expect(last.forgotten).toBe(0);
    const [before, after] = [first.handles, last.handles];
    if (!before || !after) return skip('a process tells its handles on Linux alone');
    expect(world.filesAmong(after)).toEqual([]);
    expect(after.length - (last.pool?.total ?? 0)).toBe(before.length - (first.pool?.total ?? 0));
  });

  it('keeps nothing in memory', () => {
    expect(last.heap - first.heap).toBeLessThan(MOST_KEPT);
  });

  it('keeps its memory level', ({ skip }) => {
    if (SECONDS < TELLING) return skip(`less than ${TELLING} s tell nothing`);
    expect(growth.heap).toBeLessThan(MOST_GROWTH.heap);
    expect(growth.rss).toBeLessThan(MOST_GROWTH.rss);
  });

  it('has persisted what it reported, and nothing else', { timeout: 300_000 }, async () => {
    expect(await world.sweep()).toMatchObject({ failed: 0 });
    expect(await world.wronglyPersisted()).toEqual([]);
    await world.expectOwnership();
  });
});
