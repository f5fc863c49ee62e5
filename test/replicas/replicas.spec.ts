import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SweepReport } from 'nestjs-files/maintenance';
import { reachableDatabases } from '../support/databases.js';
import { hasNginx } from '../support/nginx.js';
import { runCli } from '../support/run-cli.js';
import { Random } from '../soak/random.js';
import type { Call } from './calls.js';
import type { Client } from './client.js';
import { ReplicaWorld } from './replica-world.js';
import type { Replica } from './replica.js';

const ROUNDS = Number(process.env['REPLICAS_ROUNDS'] ?? 1);
const SEED = Number(process.env['REPLICAS_SEED'] ?? 1);
const CLIENTS = Number(process.env['REPLICAS_CLIENTS'] ?? 10);
/** How many calls end between two faults. */
const PAUSE = 80;

const configuration = process.env['CEPH_CONF'];
const isPossible = configuration !== undefined && hasNginx();
// The tests below are skipped with it; `npm run test:replicas` starts such a Ceph.
if (!isPossible)
  process.stdout.write('Two replicas: SKIPPED, nginx or a Ceph whose gateway may be killed is missing\n');
it.runIf(isPossible)('has nginx, and a Ceph whose gateway may be killed', () => expect(isPossible).toBe(true));
const databases = isPossible ? await reachableDatabases('postgres') : [];

describe.each(databases)('two replicas behind nginx, on $name and a gateway that are killed', (kind) => {
  let world: ReplicaWorld;

  /** What happens to the world, in an order of its own in each round. */
  const faults: Record<string, () => Promise<void>> = {
    'the first replica is killed': () => killed(world.replicas[0]),
    'the second replica is killed': () => killed(world.replicas[1]),
    'the first replica is deployed anew': () => deployed(world.replicas[0]),
    'the connections to the database are cut': async () => {
      const count = await world.calls.during({ what: 'database' }, () => world.terminateConnections());
      expect(count).toBeGreaterThan(0);
    },
    'the gateway is killed': async () => {
      await world.calls.during({ what: 'gateway' }, async () => {
        await world.gateway.kill();
        const saved = (call: Call): boolean => call.kind === 'save' && call.status === 201;
        const failed = (call: Call): boolean => call.needsBytes && call.status >= 500;
        await Promise.all([world.calls.more(10, saved), world.calls.more(10, failed)]);
        const { down, ...status } = await world.health();
        // What a killed call has left may have to wait for the gateway for too long.
        expect(['storage:default', 'storage:default,intents']).toContain(down.join());
        expect(status).toEqual({ ready: 200, files: 503 });
        await world.gateway.start();
      });
      const isWell = async () => expect(await world.health()).toEqual({ ready: 200, files: 200, down: [] });
      await vi.waitFor(isWell, { timeout: 20_000 });
    },
  };

  async function killed(replica: Replica): Promise<void> {
    await world.calls.during({ what: 'replica', address: replica.address }, () => replica.end('SIGKILL'));
    // The other one serves all of them.
    await world.calls.more(PAUSE);
    await replica.start();
    await world.serves(replica);
  }

  async function deployed(replica: Replica): Promise<void> {
    await world.calls.during({ what: 'deploy' }, async () => {
      await world.without(replica, async () => {
        await replica.end('SIGTERM');
        await replica.start();
      });
      await world.serves(replica);
    });
  }

  beforeAll(
    async () => {
      world = await ReplicaWorld.open(kind, configuration!, SEED, CLIENTS);
      const random = new Random(SEED);
      let isOver = false;
      const load = world.clients.map((client) => client.run(() => isOver));
      for (let round = 0; round < ROUNDS; round++) {
        for (const name of random.shuffled(Object.keys(faults))) {
          await world.calls.more(PAUSE);
          await faults[name]!();
        }
      }
      await world.calls.more(PAUSE);
      isOver = true;
      await Promise.all(load);
      for (const client of world.clients) await client.finish();
    },
    60_000 + ROUNDS * 240_000,
  );

  afterAll(() => world?.close());

  it('answers nothing but success to calls that needed nothing of what was killed', () => {
    expect(world.calls.inexcusable(), world.errors).toEqual([]);
    expect(world.clients.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(world.replicas.flatMap(({ crashes }) => crashes)).toEqual([]);
  });

  it('keeps every file that was answered with success, with its bytes', async () => {
    const wrong: string[] = [];
    const look = async ({ ledger }: Client): Promise<void> => {
      for (const [id, { attachmentId, files }] of ledger.packages) {
        const shown = (await (await world.read(`/packages/${id}`)).json()) as PackageAnswer;
        const named = new Set([shown.attachmentId, ...(shown.resources ?? []).map(({ fileId }) => fileId)]);
        named.delete(null);
        if (
          shown.attachmentId !== attachmentId ||
          named.size !== files.size ||
          ![...files.keys()].every((id) => named.has(id))
        )
          wrong.push(`package ${id} names ${[...named].join(' ')}`);
      }
      const kept = [ledger.free, ledger.limbo, ...[...ledger.packages.values()].map(({ files }) => files)];
      for (const [id, bytes] of kept.flatMap((files) => [...files])) {
        const response = await world.read(`/files/${id}/content`);
        if (!Buffer.from(await response.arrayBuffer()).equals(bytes)) wrong.push(`file ${id}: ${response.status}`);
      }
      for (const id of ledger.deleted)
        if ((await world.read(`/files/${id}`)).status !== 404) wrong.push(`file ${id} is still there`);
    };
    await Promise.all(world.clients.map(look));
    expect(wrong).toEqual([]);
  });

  it('runs each job of a saved package once, and none of a package that was not saved', async () => {
    await expect.poll(() => world.column('SELECT state AS value FROM files_job'), { timeout: 30_000 }).toEqual([]);
    const packages = await world.column('SELECT id AS value FROM package ORDER BY 1');
    expect(await world.column('SELECT package_id AS value FROM replica_run ORDER BY 1')).toEqual(packages);
    const processes = await world.column('SELECT DISTINCT process AS value FROM replica_run');
    expect(processes.length).toBeGreaterThan(2);
    for (const kind of ['saveTwice', 'saveTooMuch'])
      expect(
        world.calls.all.some((call) => call.kind === kind && [409, 413].includes(call.status)),
        kind,
      ).toBe(true);
  });

  it('shares the last sweep between the replicas, and leaves nothing', { timeout: 60_000 }, async () => {
    // Uploads that nobody goes on with.
    await world.observer.query('UPDATE files_upload SET expires_at = 1');
    const left = () => world.column('SELECT id AS value FROM files_intent UNION ALL SELECT id FROM files_upload');
    await expect
      .poll(
        async () => {
          const reports = await Promise.all(world.replicas.map((replica) => replica.ask('sweep')));
          for (const { failed } of reports as SweepReport[]) expect(failed).toBe(0);
          return { rows: await left(), uploads: (await world.stored()).uploads };
        },
        { timeout: 30_000 },
      )
      .toEqual({ rows: [], uploads: [] });
    expect((await world.stored()).keys).toEqual(
      await world.column('SELECT location AS value FROM files_file ORDER BY 1'),
    );
  });

  it('lets one sweeper at a time have an intent', async () => {
    const leases = await world.column('SELECT count(*) AS value FROM lease_log');
    expect(Number(leases[0])).toBeGreaterThan(0);
    const early = await world.observer.query<unknown[]>(
      'SELECT * FROM (SELECT *, lag(until) OVER (PARTITION BY intent ORDER BY id) AS before FROM lease_log) AS l WHERE at < before',
    );
    expect(early).toEqual([]);
  });

  it('passes the audit of all bytes', { timeout: 60_000 }, async () => {
    const { code, out, notes } = await runCli(world.module, ['verify', '--deep']);
    expect(code, out + notes).toBe(0);
  });
});

interface PackageAnswer {
  readonly attachmentId?: string | null;
  readonly resources?: readonly { fileId: string }[];
}
