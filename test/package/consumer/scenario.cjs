'use strict';

const { mkdtemp, readdir, rm } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { text } = require('node:stream/consumers');

/** Runs a small application on the modules it is given, however they were loaded, and tells what became of its files. */
async function scenario({ nest, nestTypeorm, typeorm, files, fs, memory }) {
  const root = await mkdtemp(join(tmpdir(), 'nestjs-files-scenario-'));
  class AppModule {}
  nest.common.Module({
    imports: [
      nestTypeorm.TypeOrmModule.forRoot({
        type: 'better-sqlite3',
        database: ':memory:',
        autoLoadEntities: true,
        synchronize: true,
      }),
      files.FilesModule.forRoot({ storages: { default: fs.fsStorage({ root }), scratch: memory.memoryStorage() } }),
    ],
  })(AppModule);

  const app = await nest.core.NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  try {
    const service = app.get(files.FilesService, { strict: false });
    const queue = app.get(files.TaskQueue, { strict: false });
    const table = app.get(typeorm.DataSource, { strict: false }).getRepository(files.ManagedFile);

    const file = await service.create(Buffer.from('kept on disk'), { name: 'note.txt' });
    const scratch = await service.create(Buffer.from('kept in memory'), { name: 'note.txt', storage: 'scratch' });
    const shown = await service.findOrFail(file.id);

    const tasks = [];
    const result = await queue.run(async () => {
      await service.create(Buffer.from('in a unit'), { name: 'unit.txt' });
      queue.add((value, idx, prev) => tasks.push({ value, idx, first: prev === files.NO_PREVIOUS_TASK }));
      return 'done';
    });
    const failure = await queue
      .run(async () => {
        await service.create(Buffer.from('undone'), { name: 'undone.txt' });
        throw new Error('changed my mind');
      })
      .catch((error) => error.message);
    const outside = await Promise.resolve()
      .then(() => queue.add(() => undefined))
      .catch((error) => error.code);

    return {
      name: shown.name,
      size: Number(shown.size),
      content: await text(await service.stream(file.id)),
      scratch: await text(await service.stream(scratch.id)),
      result,
      tasks,
      failure,
      outside,
      names: (await table.find()).map(({ name }) => name).sort(),
      stored: await countFiles(root),
    };
  } finally {
    await app.close();
    await rm(root, { recursive: true, force: true });
  }
}

async function countFiles(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

/** The entries that applications import names from. */
function publicEntries() {
  const { name, exports } = require('nestjs-files/package.json');
  // Health needs a peer that is optional.
  const others = ['./testing', './health'];
  const own = Object.keys(exports).filter((entry) => /^\.(\/[a-z-]+)?$/.test(entry) && !others.includes(entry));
  return own.map((entry) => entry.replace('.', name));
}

module.exports = { publicEntries, scenario };
