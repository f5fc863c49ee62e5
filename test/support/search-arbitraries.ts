import fc from 'fast-check';
import { locationKey } from '../../lib/storage/location-key.js';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { uuidV7 } from '../../lib/files/file-id.js';
import type { FileFilter, SortTerm } from '../../lib/files/search/file-filter.js';

// Beyond ASCII there is nothing that has an upper case: databases differ there.
const NAMES = [
  'a',
  'a ',
  'A',
  'aB',
  'b%',
  '_',
  String.raw`\ `,
  '!',
  '[a]',
  '*',
  'a?',
  "'",
  'é',
  '日本',
  '😀',
  '😀a',
  'ab',
];
const WORDS = ['draft', 'final', 'pdf', 'x'];
const STORAGES = ['default', 'images'];
const OWNER_TYPES = ['group', 'package', 'user'];
const OWNER_IDS = ['1', '2', 'ada'];
const SIZES = [0, 1, 10, 2 ** 31 + 5, 5 * 2 ** 31, Number.MAX_SAFE_INTEGER];
const DATES = ['1969-12-31T23:59:59.999Z', '2024-03-10T02:30:00.001Z', '2024-11-03T05:30:00.000Z'];
const KEYS = ['a', 'b', 'c d', 'é', '0', '*'];

const oneOf = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const word = oneOf(WORDS);
// What JSON keeps, but not every database can read; MariaDB does not take halves of characters. After the NUL comes an
// ending that no pattern for JSON asks for: on SQLite, patterns end there.
const UNREADABLE = ['nul\u0000\u0000x', String.raw`\u0000`];

function dataWith(texts: readonly string[]): fc.Arbitrary<Record<string, unknown> | null> {
  const scalar = fc.oneof(word, oneOf(texts), oneOf([0, 1, -1.5, 0.1, 1e21, 2 ** 31]), fc.boolean(), fc.constant(null));
  const object = (inner: fc.Arbitrary<unknown>) =>
    fc.dictionary(oneOf(KEYS), inner, { maxKeys: 5, noNullPrototype: true });
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      scalar,
      fc.array(tie('tree'), { maxLength: 2 }),
      object(tie('tree')),
      object(tie('tree')),
    ),
  }));
  return fc.option(object(tree));
}

const owner = fc.option(fc.record({ type: oneOf(OWNER_TYPES), id: oneOf(OWNER_IDS) }));

/** A file as the database may hold it. */
export function anyFile(on: { kind: string }): fc.Arbitrary<ManagedFile> {
  const data = dataWith(on.kind === 'mariadb' ? UNREADABLE : [...UNREADABLE, 'lone\ud800']);
  return fc
    .record({
      name: oneOf(NAMES),
      storage: oneOf(STORAGES),
      size: oneOf(SIZES),
      createdAt: oneOf(DATES).map((date) => new Date(date)),
      owner,
      ownerField: fc.option(oneOf(NAMES)),
      pinned: fc.boolean(),
      storageData: data,
      metadata: data,
    })
    .map(({ owner: owned, ...columns }) => {
      const id = uuidV7();
      return Object.assign(new ManagedFile(), columns, {
        id,
        location: id,
        locationKey: locationKey(id),
        contentType: 'text/plain',
        hash: '00ff',
        hashAlgorithm: 'sha256',
        ownerType: owned?.type ?? null,
        ownerId: owned?.id ?? null,
      });
    });
}

const nullable = <T>(value: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: value }, fc.constant(null));

const listOf = <T>(value: fc.Arbitrary<T>) => fc.array(nullable(value), { maxLength: 3 });

const equality = <T>(value: fc.Arbitrary<T>) => ({
  $eq: nullable(value),
  $ne: nullable(value),
  $in: listOf(value),
  $is: nullable(value),
  $isnot: nullable(value),
});

function condition<T>(value: fc.Arbitrary<T>, others: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
  const list = listOf(value);
  const operators = Object.entries({ ...equality(value), ...others }).map(([name, operand]) =>
    fc.record({ [name]: operand }),
  );
  const combined = fc.tuple(fc.oneof(...operators), fc.oneof(...operators)).map(([one, two]) => ({ ...one, ...two }));
  return fc.oneof(nullable(value), list, ...operators, combined);
}

const order = <T>(value: fc.Arbitrary<T>) => ({ $lt: value, $lte: value, $gt: value, $gte: value });
const piece = fc.oneof(
  oneOf(['%', '_', String.raw`\%`, String.raw`\_`, String.raw`\\`]),
  oneOf(NAMES.filter((name) => !name.includes('\\'))),
);
const pattern = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''));
/**
 * The operators on texts, and their operands: for columns, which hold NAMES, and for JSON. A new operator is one more
 * entry. Operands for JSON are picked by hand, because its texts are WORDS, of which random patterns would find next to
 * none.
 */
const TEXT_OPERATORS: Record<string, { column: fc.Arbitrary<string>; data: fc.Arbitrary<string> }> = {
  $like: { column: pattern, data: oneOf(['%', 'd%', '_', 'DRAFT', '%f']) },
  $ilike: { column: pattern, data: oneOf(['DRAFT', '%F', 'x']) },
};
const textOperators = (on: 'column' | 'data') =>
  Object.fromEntries(Object.entries(TEXT_OPERATORS).map(([name, operands]) => [name, operands[on]]));
const patterns = textOperators('column');

const jsonOperand = fc.oneof(word, oneOf([0, 1, -1.5, 0.1, 1e21, 2 ** 31, 7]), fc.boolean());
const dataCondition = condition(jsonOperand, {
  ...order(fc.oneof(word, oneOf([0, 1, -1.5, 0.1, 1e21]))),
  ...textOperators('data'),
});
const path = fc.array(oneOf(KEYS), { minLength: 1, maxLength: 3 });
const column = oneOf(['storageData', 'metadata']);
const dataFilter = fc.oneof(
  fc.tuple(column, path, dataCondition).map(([name, keys, inner]) => ({ [[name, ...keys].join('.')]: inner })),
  fc.tuple(column, path, dataCondition).map(([name, keys, inner]) => ({
    [name]: keys.reduceRight<unknown>((within, key) => ({ [key]: within }), inner),
  })),
  fc.tuple(column, oneOf([null, [], { $isnot: null }, { $eq: 'x' }])).map(([name, inner]) => ({ [name]: inner })),
);

const storage = oneOf([...STORAGES, 'other']);
const date = oneOf(DATES);
const fields: Record<string, fc.Arbitrary<unknown>> = {
  name: condition(oneOf(NAMES), patterns),
  ownerField: condition(oneOf(NAMES), patterns),
  storage: condition(storage, { ...order(storage), ...patterns }),
  size: condition(oneOf(SIZES), order(oneOf(SIZES))),
  createdAt: condition(date, order(date)).map(toDates),
  ownerType: condition(oneOf(OWNER_TYPES), order(oneOf(OWNER_TYPES))),
  ownerId: condition(oneOf(OWNER_IDS), {}),
  pinned: condition(fc.boolean(), {}),
  owner: fc.oneof(owner, fc.array(owner, { maxLength: 2 })),
};
const fieldFilter = fc.oneof(
  ...Object.entries(fields).map(([name, inner]) => fc.record({ [name]: inner })),
  fc.record({ name: fc.oneof(...Object.entries(patterns).map(([name, operand]) => fc.record({ [name]: operand }))) }),
);

function toDates(value: unknown): unknown {
  if (typeof value === 'string') return new Date(value);
  if (Array.isArray(value)) return value.map(toDates);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toDates(inner)]));
}

const { filter } = fc.letrec((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    fieldFilter,
    dataFilter,
    fc.tuple(fieldFilter, dataFilter).map(([one, two]) => ({ ...one, ...two })),
    fc.record({ $and: tie('filters') }),
    fc.record({ $or: tie('filters') }),
  ),
  filters: fc.array(tie('filter'), { maxLength: 3 }),
}));

/** A filter that is in order, of every operator. */
export const anyFilter = filter as fc.Arbitrary<FileFilter>;

/** A sort by what all databases order alike. */
export const anySort = fc.uniqueArray(
  fc.tuple(
    oneOf(['size', 'createdAt', 'pinned', 'ownerType', 'storage', 'id'] as const),
    oneOf(['asc', 'desc'] as const),
  ),
  { maxLength: 4, selector: ([field]) => field },
) satisfies fc.Arbitrary<SortTerm[]>;

const junkKey = fc.oneof(
  oneOf(['$and', '$or', ...Object.keys({ ...equality(word), ...order(word), ...TEXT_OPERATORS }), '$not', '$']),
  oneOf([
    ...Object.keys(new ManagedFile()),
    ...Object.keys(fields),
    'id',
    'hash',
    'metadata',
    'metadata.a',
    'storageData..b',
  ]),
  oneOf([
    'constructor',
    '__proto__',
    'toJSON',
    'toString',
    'metadata."x',
    'metadata.\u0000',
    'name.a',
    "name' OR 1=1 --",
  ]),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const junkValue = fc.oneof(
  oneOf<unknown>([
    undefined,
    Number.NaN,
    Infinity,
    -0,
    2 ** 53,
    1.5,
    10n,
    new Date(Number.NaN),
    Symbol('s'),
    () => 1,
    /x/,
  ]),
  oneOf([
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udc00x',
    '\\',
    'x'.repeat(5000),
    '%'.repeat(900),
    '2024',
    '2024-02-30',
    '2024-99-99T99:99:99Z',
  ]),
  oneOf(["'; DROP TABLE files_file; --", ':search0', '$1', '?', '{a}', '"', '::text', '[', '[^', '{"a":1}']),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: false }),
  fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
  }),
);
const { junk } = fc.letrec((tie) => ({
  junk: fc.oneof(
    { maxDepth: 5 },
    junkValue,
    fc.dictionary(junkKey, tie('junk'), { maxKeys: 3 }),
    fc.dictionary(junkKey, tie('junk'), { maxKeys: 2 }),
    fc.array(tie('junk'), { maxLength: 3 }),
  ),
}));

/** What somebody may send instead of a filter. */
export const anyJunkFilter = fc.oneof(junk, fc.dictionary(junkKey, junk, { minKeys: 1, maxKeys: 3 }));

/** What somebody may send instead of a search. */
export const anyJunkSearch = fc.oneof(
  junk,
  fc.record(
    { filters: anyJunkFilter, sort: fc.oneof(junk, junkKey), offset: junkValue, limit: junkValue, cursor: junkValue },
    { requiredKeys: [] },
  ),
  fc.record({ sort: fc.oneof(junkKey, fc.array(fc.tuple(junkKey, oneOf(['asc', 'desc', 'up'])))) }),
  fc
    .array(junkValue, { maxLength: 4 })
    .map((place) => ({ sort: 'name', cursor: cursorOf(['name asc,id asc', ...place]) })),
  // With an id that is in order, so that the value beside it gets as far as the database.
  fc
    .tuple(
      oneOf(['name', 'createdAt', 'size', 'ownerId'] as const),
      junkValue,
      fc.oneof(fc.constant(uuidV7()), junkValue),
    )
    .map(([sort, ...place]) => ({ sort, cursor: cursorOf([`${sort} asc,id asc`, ...place]) })),
);

function cursorOf(place: unknown[]): string {
  const text = JSON.stringify(place, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value));
  return Buffer.from(text).toString('base64url');
}
