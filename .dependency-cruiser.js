/**
 * The rooms of the library, from the public face on the left to the ground on the right:
 *
 *   index, entry → files.module → http, cli, validation, health → access, audit, derivation, links, scan, staging → ownership → jobs → files → actor → storage, task-queue, migrations → unit-of-work → errors, diagnostics, dto
 *   testing → storage, task-queue
 *   client → files, for types only: browsers load it as it is
 *
 * A room may import itself and the rooms to its right; neighbours on one step stay apart.
 */
const steps = [
  ['index', 'entry'],
  ['files.module', 'files.options'],
  ['http', 'cli', 'validation', 'health'],
  ['access', 'audit', 'derivation', 'links', 'scan', 'staging'],
  ['ownership'],
  ['jobs'],
  ['files'],
  ['actor'],
  ['storage', 'task-queue', 'migrations'],
  ['unit-of-work'],
  ['errors', 'diagnostics', 'dto'],
];

/** Steps whose parts are one room in several files, so that they may see each other. */
const together = new Set(['files.module', 'files.options']);

const roomPath = (room) => `^lib/${room.replace('.', '\\.')}(\\.ts$|/)`;

const mayImport = (room) => {
  if (room === 'testing') return ['testing', 'storage', 'task-queue', 'unit-of-work', 'errors', 'diagnostics'];
  if (room === 'client') return ['client', 'files'];
  const step = steps.findIndex((rooms) => rooms.includes(room));
  return [...(together.has(room) ? steps[step] : [room]), ...steps.slice(step + 1).flat()];
};

const roomRules = [...steps.flat(), 'testing', 'client'].map((room) => ({
  name: `room-order/${room}`,
  comment: `lib/${room} may import only ${mayImport(room).join(', ')}.`,
  severity: 'error',
  from: { path: roomPath(room) },
  to: { path: '^lib/', pathNot: mayImport(room).map(roomPath) },
}));

const publicEntries = [
  '^lib/index\\.ts$',
  '^lib/entry/[^/]+\\.ts$',
  '^lib/storage/adapters/[^/]+\\.storage\\.ts$',
  '^lib/jobs/engines/[^/]+\\.jobs\\.ts$',
  '^lib/scan/clamav\\.ts$',
  '^lib/testing/index\\.ts$',
  '^lib/client/index\\.ts$',
  '^lib/client/field/file-field\\.ts$',
];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...roomRules,
    {
      name: 'room-known',
      comment: 'A file of the library lives in one of the rooms; a new room takes its place in the order first.',
      severity: 'error',
      from: {},
      to: { path: '^lib/', pathNot: [...steps.flat(), 'testing', 'client'].map(roomPath) },
    },
    {
      name: 'client-stands-alone',
      comment: 'Browsers load the client as it is, so that it imports nothing from elsewhere at run time.',
      severity: 'error',
      from: { path: '^lib/client/' },
      to: { pathNot: '^lib/client/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circular',
      comment: 'No cycles at run time: two files that need each other are one idea or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'lib-stands-alone',
      comment: 'The library knows nothing of its tests, its sample and its benchmarks.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(test|sample|bench)/' },
    },
    {
      name: 'lib-ships-its-dependencies',
      comment: 'What the library imports is a dependency or a peer, never a development dependency.',
      severity: 'error',
      from: { path: '^lib/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-peer', 'type-only'],
      },
    },
    {
      name: 'sample-uses-the-public-face',
      comment: 'The sample imports nestjs-files by name, as an application would.',
      severity: 'error',
      from: { path: '^sample/' },
      to: { path: '^lib/', pathNot: publicEntries },
    },
    {
      name: 'sample-imports-by-name',
      comment: 'The sample imports nestjs-files by name, as an application would.',
      severity: 'error',
      from: { path: '^sample/' },
      to: { path: '^lib/', dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'resolvable',
      comment: 'Every import leads to a module.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^test/package/consumer/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json', '.d.ts'],
    },
  },
};
