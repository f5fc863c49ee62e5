import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Album, Ticket, Track } from '../../support/guarded-entities.js';

type Policy = 'keep' | 'release' | 'delete';

/** The declared fields of the rows that are written. */
const FIELDS: Record<string, Record<string, Policy>> = {
  ticket: { attachmentId: 'delete', coverId: 'release', imageIds: 'delete' },
  track: { fileId: 'release' },
  album: { coverId: 'keep' },
};
const ON_DELETE: Record<string, Policy> = { ticket: 'delete', track: 'delete', album: 'keep' };
const CLASSES = { ticket: Ticket, track: Track, album: Album } as const;
type Kind = keyof typeof CLASSES;

interface Row {
  readonly kind: Kind;
  readonly id: string;
  /** By field. */
  readonly names: Readonly<Record<string, readonly string[]>>;
}

/** What one step does; numbers choose among the rows and files that there are. */
type Step =
  | { readonly do: 'set'; readonly kind: Kind; readonly row: number; readonly field: number; readonly files: number[] }
  | { readonly do: 'insert'; readonly kind: Kind; readonly field: number; readonly files: number[] }
  | { readonly do: 'remove'; readonly kind: Kind; readonly row: number }
  | { readonly do: 'give'; readonly kind: Kind; readonly row: number; readonly file: number }
  | { readonly do: 'delete'; readonly file: number };

const kinds = fc.constantFrom<Kind[]>('ticket', 'track', 'album');
const some = fc.nat({ max: 20 });
const files = fc.array(some, { maxLength: 3 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('set' as const), kind: kinds, row: some, field: some, files }),
  fc.record({ do: fc.constant('insert' as const), kind: kinds, field: some, files }),
  fc.record({ do: fc.constant('remove' as const), kind: kinds, row: some }),
  fc.record({ do: fc.constant('give' as const), kind: kinds, row: some, file: some }),
  fc.record({ do: fc.constant('delete' as const), file: some }),
);
/** A unit of work, in parts of which some are nested, and some of these fail. */
const units = fc.record({
  parts: fc.array(
    fc.record({
      steps: fc.array(steps, { minLength: 1, maxLength: 4 }),
      end: fc.constantFrom('flat', 'nested', 'undone'),
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
});

const UNDONE = new Error('undone');

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Random graphs on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database });
  });
  afterAll(() => app.close());

  async function rows(): Promise<Row[]> {
    const found: Row[] = [];
    for (const kind of Object.keys(CLASSES) as Kind[]) {
      const entities = await app.dataSource
        .getRepository<object>(CLASSES[kind])
        .find({ order: { id: 'ASC' } as object });
      for (const entity of entities as Record<string, unknown>[]) {
        const names = Object.keys(FIELDS[kind]!).map((field) => [field, [entity[field] ?? []].flat()]);
        found.push({ kind, id: String(entity['id']), names: Object.fromEntries(names) as Row['names'] });
      }
    }
    return found;
  }

  async function owners(): Promise<Map<string, string>> {
    const all = await app.dataSource.getRepository(ManagedFile).find({ order: { id: 'ASC' } });
    return new Map(all.map(({ id, ownerType, ownerId }) => [id, ownerType === null ? '-' : `${ownerType} ${ownerId}`]));
  }

  const ownerOf = ({ kind, id }: Row) => `${kind} ${id}`;
  const namedBy = (row: Row) => new Set(Object.values(row.names).flat());
  const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(list.length, 1)];
  const value = (field: string, ids: readonly string[]) => (field === 'imageIds' ? ids : (ids[0] ?? null));

  async function perform(step: Step): Promise<void> {
    const there = [...(await owners()).keys()];
    if (step.do === 'delete') {
      const id = pick(there, step.file);
      if (id) await app.files.delete(id, { force: true });
      return;
    }
    const repository = app.dataSource.getRepository<object>(CLASSES[step.kind]);
    const row =
      'row' in step
        ? pick(
            (await rows()).filter(({ kind }) => kind === step.kind),
            step.row,
          )
        : undefined;
    if (step.do === 'remove') {
      if (row) await repository.delete(row.id);
      return;
    }
    if (step.do === 'give') {
      const id = pick(there, step.file);
      if (id && row)
        await app.files.transferOwnership(id, { ownerType: row.kind, ownerId: row.id, force: true, pin: true });
      return;
    }
    const field = pick(Object.keys(FIELDS[step.kind]!), step.field)!;
    const ids = [...new Set(step.files.flatMap((at) => pick(there, at) ?? []))];
    if (step.do === 'insert') await repository.save({ [field]: value(field, ids) });
    else if (row) await repository.update(row.id, { [field]: value(field, ids) });
  }

  it('name only what they own after each commit, and let go by their policies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(units, { minLength: 2, maxLength: 5 }), async (work) => {
        for (let i = 0; i < 3; i++) await app.upload();
        for (const { parts } of work) {
          const before = { rows: await rows(), owners: await owners() };
          const run = app.queue.run(async () => {
            for (const { steps: inner, end } of parts) {
              const all = async () => {
                for (const step of inner) await perform(step);
                if (end === 'undone') throw UNDONE;
              };
              if (end === 'flat') await all();
              else
                await app.queue.run(all).catch((error: unknown) => {
                  if (error !== UNDONE) throw error;
                });
            }
          });
          const committed = await run.then(
            () => true,
            () => false,
          );
          const after = { rows: await rows(), owners: await owners() };
          for (const row of after.rows) {
            for (const id of namedBy(row))
              expect(after.owners.get(id), `${ownerOf(row)} names ${id}`).toBe(ownerOf(row));
          }
          if (!committed) {
            expect(after).toEqual(before);
            continue;
          }
          for (const row of before.rows) {
            const now = after.rows.find((one) => ownerOf(one) === ownerOf(row));
            const kept = now ? namedBy(now) : new Set<string>();
            for (const [field, ids] of Object.entries(row.names)) {
              const policy = now ? FIELDS[row.kind]![field] : ON_DELETE[row.kind];
              for (const id of ids.filter((one) => !kept.has(one))) {
                const owner = after.owners.get(id);
                // Given away or deleted by a step; else what the policy says.
                if (policy === 'release' && owner === ownerOf(row)) expect.fail(`${id} is still ${owner}'s`);
                if (policy === 'delete' && owner === ownerOf(row)) expect.fail(`${id} is still there`);
                if (policy === 'keep' && owner === '-') expect.fail(`${id} has lost its owner`);
              }
            }
          }
        }
      }),
      { numRuns: 12, seed: 20261128 },
    );
  });
});
