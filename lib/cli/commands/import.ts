import { createReadStream } from 'node:fs';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { IsNull } from 'typeorm';
import type { ObjectLiteral } from 'typeorm';
import type { OwnerReference } from '../../files/owner-reference.js';
import { ownerIdOf } from '../../files/owner-reference.js';
import { FilesService } from '../../files/files.service.js';
import { guardedEntitiesOf } from '../../ownership/guard/guarded-entities.js';
import type { GuardedEntity } from '../../ownership/guard/guarded-entities.js';
import { isList } from '../../ownership/guard/record-rows.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { TaskQueue } from '../../task-queue/task-queue.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, InterruptedError, type OptionValues, UsageError } from '../command.js';
import { requiredIn, textIn } from '../values.js';

const ROWS_PER_PAGE = 200;

export const importFiles: Command = {
  name: 'import',
  summary: 'Creates a file for each path in a column of a class, and writes its id to the @FileField()',
  example: 'nestjs-files import --entity Package --column path --field attachmentId --directory /var/old-files',
  options: {
    entity: { kind: 'text', value: 'CLASS', help: 'the class with the column and the field' },
    column: { kind: 'text', value: 'PROPERTY', help: 'the property that contains the path' },
    field: { kind: 'text', value: 'PROPERTY', help: 'the @FileField() for the id of the file' },
    directory: {
      kind: 'text',
      value: 'PATH',
      help: 'the directory of the paths; its files are copied into the storage',
    },
    storage: {
      kind: 'text',
      value: 'NAME',
      help: 'the storage of the files. Without --directory, the paths are locations of bytes that are already in this storage',
    },
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  async run({ app, options, out, signal }) {
    const source = sourceOf(app, options);
    const total = await source.count();
    if (options['dry-run']) {
      await out.result({ records: total }, `${total} records would get a file`);
      return 0;
    }
    const progress = out.progress('imported', total);
    let failed = 0;
    for await (const record of source.records()) {
      if (signal.aborted) {
        progress.end();
        throw new InterruptedError('Interrupted. Run the same command again to go on.');
      }
      try {
        await source.give(record);
        progress.tick();
      } catch (error) {
        failed++;
        progress.clear();
        const { key, path } = record;
        const problem = (error as Error).message;
        await out.result({ key, path, problem }, `failed: ${JSON.stringify(key)} ${path}: ${problem}`);
      }
    }
    progress.end();
    if (failed > 0) out.note(`${failed} records got no file and were not changed`);
    return failed === 0 ? 0 : 1;
  },
};

/** A row with a path in the column and an empty field. */
interface PathRecord {
  readonly key: ObjectLiteral;
  readonly owner: OwnerReference;
  readonly path: string;
}

interface Source {
  count(): Promise<number>;
  /** The rows that need a file, in the order of their keys. */
  records(): AsyncGenerator<PathRecord, void>;
  /** Creates the file and writes its id to the row, in one commit. Throws if the row was changed, filled or removed in the meantime. */
  give(record: PathRecord): Promise<void>;
}

function sourceOf(app: INestApplicationContext, options: OptionValues): Source {
  const { dataSource } = app.get(Transactor, { strict: false });
  const queue = app.get(TaskQueue, { strict: false });
  const files = app.get(FilesService, { strict: false });
  const { entity, path, field, key } = columnsOf(guardedEntitiesOf(dataSource), options);
  const repository = dataSource.getRepository(entity.metadata.target);
  const select = (after?: unknown) => {
    const query = repository
      .createQueryBuilder('record')
      .where(`record.${field.propertyPath} IS NULL AND record.${path.propertyPath} <> ''`);
    if (after !== undefined) query.andWhere(`record.${key.propertyPath} > :after`, { after });
    return query.orderBy(`record.${key.propertyPath}`).limit(ROWS_PER_PAGE);
  };
  const storage = textIn(options, 'storage');
  // An unknown name is refused before any record is read.
  if (storage !== undefined) app.get(StorageRegistry, { strict: false }).get(storage);
  const make = fileMaker(files, textIn(options, 'directory'), storage);
  return {
    count: () => select().limit(undefined).orderBy().getCount(),
    async *records() {
      for (let after: unknown; ;) {
        const rows = await select(after).getMany();
        for (const row of rows) {
          const owner = { type: entity.ownerType, id: ownerIdOf(entity.idColumn.getEntityValue(row)) ?? '' };
          yield { key: entity.metadata.getEntityIdMap(row) ?? {}, owner, path: String(path.getEntityValue(row)) };
        }
        if (rows.length < ROWS_PER_PAGE) return;
        after = key.getEntityValue(rows.at(-1) ?? {});
      }
    },
    give: (record) =>
      queue.run(async () => {
        const { id } = await make(record);
        const unchanged: ObjectLiteral = { ...record.key };
        field.setEntityValue(unchanged, IsNull());
        path.setEntityValue(unchanged, record.path);
        const filled: ObjectLiteral = {};
        field.setEntityValue(filled, id);
        const { affected } = await repository.update(unchanged, filled);
        if (affected !== 1)
          throw new Error('the path or the field was changed, or the record was removed, in the meantime');
        await files.pin(id);
      }),
  };
}

function fileMaker(
  files: FilesService,
  directory: string | undefined,
  storage: string | undefined,
): (record: PathRecord) => Promise<{ id: string }> {
  const where = storage === undefined ? {} : { storage };
  if (directory === undefined) {
    if (storage === undefined)
      throw new UsageError('Give --directory, or --storage for bytes that are already in the storage.');
    return ({ path, owner }) => files.register(path, { ...where, owner });
  }
  return ({ path, owner }) => {
    const full = join(directory, path);
    const below = relative(directory, full);
    if (below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below))
      throw new Error(`the path leads out of ${directory}`);
    return files.create(createReadStream(full), { name: posix.basename(path.replaceAll('\\', '/')), ...where, owner });
  };
}

function columnsOf(entities: readonly GuardedEntity[], options: OptionValues) {
  const [name, column, property] = ['entity', 'column', 'field'].map((option) => requiredIn(options, option));
  const owners = entities.filter(({ ownerType }) => ownerType !== '');
  const entity = owners.find(({ metadata }) => metadata.name === name);
  if (!entity) {
    const names = owners.map(({ metadata }) => metadata.name);
    throw new UsageError(`--entity: "${name}" is not a class with a @FileField(). Available: ${listOf(names)}.`);
  }
  const fields = entity.fields.filter((one) => !isList(one.column) && !one.column.relationMetadata);
  const field = fields.find((one) => one.name === property);
  if (!field) {
    const names = listOf(fields.map((one) => one.name));
    throw new UsageError(
      `--field: "${property}" of ${name} is not a @FileField() with one id and no relation. Available: ${names}.`,
    );
  }
  const path = entity.metadata.columns.find(({ propertyPath }) => propertyPath === column);
  if (!path) throw new UsageError(`--column: ${name} has no property "${column}".`);
  const [key, ...more] = entity.metadata.primaryColumns;
  if (!key || more.length > 0) throw new UsageError(`--entity: the primary key of "${name}" is not one column.`);
  return { entity, path, field: field.column, key };
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
