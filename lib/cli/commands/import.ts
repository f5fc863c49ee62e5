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
import { TaskQueue } from '../../task-queue/task-queue.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { type Command, InterruptedError, type OptionValues, UsageError } from '../command.js';
import { requiredIn, textIn } from '../values.js';

const ROWS_PER_PAGE = 200;

export const importFiles: Command = {
  name: 'import',
  summary: 'Makes files of the paths that a column of a class holds, and fills its @FileField() with them',
  example: 'nestjs-files import --entity Package --column path --field attachmentId --directory /var/old-files',
  options: {
    entity: { kind: 'text', value: 'CLASS', help: 'the class with the column and the field' },
    column: { kind: 'text', value: 'PROPERTY', help: 'the property that holds the path' },
    field: { kind: 'text', value: 'PROPERTY', help: 'the @FileField() that is to name the file' },
    directory: { kind: 'text', value: 'PATH', help: 'copy the bytes from below this directory into the storage' },
    storage: {
      kind: 'text',
      value: 'NAME',
      help: 'the storage of the files; without --directory, the paths are locations of bytes that are there already',
    },
    'dry-run': { kind: 'flag', help: 'change nothing' },
  },
  async run({ app, options, out, signal }) {
    const source = sourceOf(app, options);
    const total = await source.count();
    if (options['dry-run']) {
      await out.result({ records: total }, `${total} records would be given a file`);
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
    if (failed > 0) out.note(`${failed} records were not given their file, and are as they were`);
    return failed === 0 ? 0 : 1;
  },
};

/** A row whose column holds a path, and whose field is empty. */
interface PathRecord {
  readonly key: ObjectLiteral;
  readonly owner: OwnerReference;
  readonly path: string;
}

interface Source {
  count(): Promise<number>;
  /** In the order of their keys. */
  records(): AsyncGenerator<PathRecord, void>;
  /** Makes the file and names it in the row, in one commit. Throws where somebody has changed the path or filled the field meanwhile. */
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
      .where(`record.${field.propertyPath} IS NULL AND record.${path.propertyPath} IS NOT NULL`);
    if (after !== undefined) query.andWhere(`record.${key.propertyPath} > :after`, { after });
    return query.orderBy(`record.${key.propertyPath}`).limit(ROWS_PER_PAGE);
  };
  const make = fileMaker(files, options);
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
        const [empty, filled]: ObjectLiteral[] = [{ ...record.key }, {}];
        field.setEntityValue(empty ?? {}, IsNull());
        path.setEntityValue(empty ?? {}, record.path);
        field.setEntityValue(filled ?? {}, id);
        const { affected } = await repository.update(empty ?? {}, filled ?? {});
        if (affected !== 1) throw new Error('the record was changed or removed meanwhile');
        await files.pin(id);
      }),
  };
}

function fileMaker(files: FilesService, options: OptionValues): (record: PathRecord) => Promise<{ id: string }> {
  const [directory, storage] = [textIn(options, 'directory'), textIn(options, 'storage')];
  const where = storage === undefined ? {} : { storage };
  if (directory === undefined) {
    if (storage === undefined) throw new UsageError('Give --directory, or --storage for bytes that are there already.');
    return ({ path, owner }) => files.register(path, { ...where, owner });
  }
  return ({ path, owner }) => {
    const full = join(directory, path);
    const below = relative(directory, full);
    if (below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below))
      throw new Error(`it leads out of ${directory}`);
    return files.create(createReadStream(full), { name: posix.basename(path.replaceAll('\\', '/')), ...where, owner });
  };
}

function columnsOf(entities: readonly GuardedEntity[], options: OptionValues) {
  const [name, column, property] = ['entity', 'column', 'field'].map((option) => requiredIn(options, option));
  const entity = entities.find(({ metadata, ownerType }) => metadata.name === name && ownerType !== '');
  if (!entity) {
    const names = entities.map(({ metadata }) => metadata.name).join(', ');
    throw new UsageError(`--entity is "${name}". Classes with a @FileField(): ${names === '' ? 'none' : names}.`);
  }
  const field = entity.fields.find((one) => one.name === property);
  if (!field || isList(field.column) || field.column.relationMetadata) {
    const names = entity.fields.filter((one) => !isList(one.column)).map((one) => one.name);
    throw new UsageError(`--field is "${property}". Fields of ${name} that hold one id: ${names.join(', ')}.`);
  }
  const path = entity.metadata.columns.find(({ propertyPath }) => propertyPath === column);
  if (!path) throw new UsageError(`--column is "${column}", and ${name} has no such property.`);
  const [key, ...more] = entity.metadata.primaryColumns;
  if (!key || more.length > 0) throw new UsageError(`--entity is "${name}", whose primary key is not one column.`);
  return { entity, path, field: field.column, key };
}
