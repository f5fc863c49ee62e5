import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Album, Clause, Ticket, Track } from '../../support/guarded-entities.js';

type Policy = 'keep' | 'release' | 'delete';

/** The declared fields of the rows that are written. */
const FIELDS: Record<string, Record<string, Policy>> = {
  ticket: { attachmentId: 'delete', coverId: 'release', imageIds: 'delete' },
  track: { fileId: 'release' },
  album: { coverId: 'keep' },
  clause: { fileId: 'keep' },
};
const ON_DELETE: Record<string, Policy> = { ticket: 'delete', track: 'delete', album: 'keep', clause: 'keep' };
const CLASSES = { ticket: Ticket, track: Track, album: Album, clause: Clause } as const;
type Kind = keyof typeof CLASSES;

interface Row {
  readonly kind: Kind;
  readonly key: string | number;
  /** What it owns files as. */
  readonly owner: string;
  /** By field. */
  readonly names: Readonly<Record<string, readonly string[]>>;
}

/** What one step does; numbers choose among the rows and files that there are. */
type Step =
  | { readonly do: 'set'; readonly kind: Kind; readonly row: number; readonly field: number; readonly files: number[] }
  | { readonly do: 'insert'; readonly kind: Kind; readonly field: number; readonly files: number[] }
  | {
      readonly do: 'attach';
      readonly kind: Kind;
      readonly row: number;
      readonly field: number;
      readonly files: number[];
    }
  | { readonly do: 'renumber'; readonly row: number }
  | { readonly do: 'remove'; readonly kind: Kind; readonly row: number }
  | { readonly do: 'give'; readonly kind: Kind; readonly row: number; readonly file: number }
  | { readonly do: 'delete'; readonly file: number };

const kinds = fc.constantFrom<Kind[]>('ticket', 'track', 'album', 'clause');
const some = fc.nat({ max: 6 });
const files = fc.array(some, { maxLength: 3 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('attach' as const), kind: kinds, row: some, field: some, files }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('set' as const), kind: kinds, row: some, field: some, files }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      kind: kinds,
      row: some,
      field: some,
      files: fc.constant<number[]>([]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('renumber' as const), row: some }) },
  fc.record({ do: fc.constant('insert' as const), kind: kinds, field: some, files }),
  fc.record({ do: fc.constant('remove' as const), kind: kinds, row: some }),
  fc.record({ do: fc.constant('give' as const), kind: kinds, row: some, file: some }),
  fc.record({ do: fc.constant('delete' as const), file: some }),
);
/** A unit of work, in parts of which some are nested, and some of these fail. */
const units = fc.record({
  parts: fc.array(
    fc.record({
      steps: fc.array(steps, { minLength: 1, maxLength: 2 }),
      end: fc.constantFrom('flat', 'flat', 'nested', 'undone'),
    }),
    {
      minLength: 1,
      maxLength: 2,
    },
  ),
});

/** A number that no clause has had. */
let lastNumber = 0;

const UNDONE = new Error('undone');

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Random graphs on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database });
  });
  afterAll(() => app.close());

  const keyOf = (kind: Kind) => (kind === 'clause' ? 'key' : 'id');

  async function rows(): Promise<Row[]> {
    const found: Row[] = [];
    for (const kind of Object.keys(CLASSES) as Kind[]) {
      const entities = await app.dataSource
        .getRepository<object>(CLASSES[kind])
        .find({ order: { [keyOf(kind)]: 'ASC' } as object });
      for (const entity of entities as Record<string, unknown>[]) {
        const names = Object.keys(FIELDS[kind]!).map((field) => [field, [entity[field] ?? []].flat()]);
        const owner = `${kind} ${String(entity[kind === 'clause' ? 'number' : 'id'])}`;
        const key = entity[keyOf(kind)] as string;
        found.push({ kind, key, owner, names: Object.fromEntries(names) as Row['names'] });
      }
    }
    return found;
  }

  async function owners(): Promise<Map<string, string>> {
    const all = await app.dataSource.getRepository(ManagedFile).find({ order: { id: 'ASC' } });
    return new Map(all.map(({ id, ownerType, ownerId }) => [id, ownerType === null ? '-' : `${ownerType} ${ownerId}`]));
  }

  const namedBy = (row: Row) => new Set(Object.values(row.names).flat());
  const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(list.length, 1)];
  /** The files that steps of the unit have named, given or deleted. */
  const touched = new Set<string>();
  const pickFile = (there: readonly string[], at: number): string | undefined => {
    const id = pick(there, at);
    if (id !== undefined) touched.add(id);
    return id;
  };
  const value = (field: string, ids: readonly string[]) => (field === 'imageIds' ? ids : (ids[0] ?? null));

  async function give(ids: readonly string[], { kind, owner }: Row): Promise<void> {
    const ownerId = owner.slice(kind.length + 1);
    if (ids.length > 0) {
      await app.files.transferOwnership(ids, { ownerType: kind, ownerId, force: true, pin: true });
    }
  }

  async function perform(step: Step): Promise<void> {
    const there = [...(await owners()).keys()];
    if (step.do === 'delete') {
      const id = pickFile(there, step.file);
      if (id) await app.files.delete(id, { force: true });
      return;
    }
    const kind = 'kind' in step ? step.kind : 'clause';
    const repository = app.dataSource.getRepository<object>(CLASSES[kind]);
    const alike = (await rows()).filter((one) => one.kind === kind);
    const row = 'row' in step ? pick(alike, step.row) : undefined;
    if (step.do === 'insert' || ('row' in step && !row)) {
      const number = kind === 'clause' ? { number: ++lastNumber } : {};
      await repository.save(step.do === 'insert' ? { ...number, ...valueOf(kind, step, there) } : number);
      return;
    }
    if (!row) return;
    if (step.do === 'remove') await repository.delete(row.key);
    if (step.do === 'renumber') await repository.update(row.key, { number: ++lastNumber });
    if (step.do === 'give') await give([pickFile(there, step.file) ?? []].flat(), row);
    if (step.do === 'set' || step.do === 'attach') await repository.update(row.key, valueOf(kind, step, there));
    if (step.do === 'attach')
      await give([Object.values(valueOf(kind, step, there)) as string[]].flat(2).filter(Boolean), row);
  }

  function valueOf(kind: Kind, { field, files: chosen }: { field: number; files: number[] }, there: string[]): object {
    const name = pick(Object.keys(FIELDS[kind]!), field)!;
    return { [name]: value(name, [...new Set(chosen.flatMap((at) => pickFile(there, at) ?? []))]) };
  }

  /** What may have become of a file that the row named: a row that is removed may have let it go before. */
  function fatesOf({ kind, names }: Row, id: string, now: Row | undefined): Policy[] {
    const fields = Object.keys(names).filter((field) => names[field]!.includes(id));
    const replaced = fields.map((field) => FIELDS[kind]![field]!);
    return now ? replaced : [...replaced, ON_DELETE[kind]!];
  }

  function fateOf({ kind }: Row, id: string, after: ReadonlyMap<string, string>): Policy | 'given away' {
    const owner = after.get(id);
    if (owner === undefined) return 'delete';
    if (owner === '-') return 'release';
    // A clause keeps its files when it is renumbered.
    return owner.startsWith(`${kind} `) ? 'keep' : 'given away';
  }

  it('name only their own files after each commit, and let files go by their policies', async () => {
    let attached = 0;
    let letGo = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(units, { minLength: 2, maxLength: 5 }), async (work) => {
        for (let i = 0; i < 3; i++) await app.upload();
        for (const { parts } of work) {
          touched.clear();
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
            for (const id of namedBy(row)) expect(after.owners.get(id), `${row.owner} names ${id}`).toBe(row.owner);
          }
          if (!committed) {
            expect(after).toEqual(before);
            continue;
          }
          attached += after.rows.flatMap((row) => [...namedBy(row)]).length;
          for (const row of before.rows) {
            const now = after.rows.find(({ kind, key }) => kind === row.kind && key === row.key);
            const kept = now ? namedBy(now) : new Set<string>();
            for (const id of [...namedBy(row)].filter((one) => !kept.has(one))) {
              const [fates, fate] = [fatesOf(row, id, now), fateOf(row, id, after.owners)];
              letGo += 1;
              // A step may have given it away or deleted it.
              if (!touched.has(id)) expect(fates).toContain(fate);
              else if (!fates.includes('keep')) expect(after.owners.get(id)).not.toBe(row.owner);
            }
          }
        }
      }),
      { numRuns: 60, seed: 20261128 },
    );
    // Else the graphs have no edges, and nothing was held against anything.
    expect(attached).toBeGreaterThan(100);
    expect(letGo).toBeGreaterThan(20);
  });
});
