import { TableColumn } from 'typeorm';
import type { DataSource, ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import type { OwnerReference } from '../files/owner-reference.js';
import { ownerIdOf } from '../files/owner-reference.js';
import { guardedEntitiesOf } from '../ownership/guard/guarded-entities.js';
import type { GuardedEntity } from '../ownership/guard/guarded-entities.js';
import { isList } from '../ownership/guard/record-rows.js';
import { dialectOf } from '../unit-of-work/dialects/dialect-of.js';
import { type OptionValues, UsageError } from './command.js';
import { requiredIn } from './values.js';

/** A row with a path in the column and an empty field. */
export interface PathRecord {
  readonly key: ObjectLiteral;
  readonly owner: OwnerReference;
  readonly path: string;
  /** The path as its property has it. */
  readonly value: unknown;
}

type Column = GuardedEntity['metadata']['columns'][number];

/** The rows of a class that have a path in one column, and an empty @FileField(). */
export class PathRecords {
  readonly #entity: GuardedEntity;
  readonly #path: Column;
  readonly #field: Column;
  readonly #key: Column;

  /** Throws `UsageError` where the options name no such columns. */
  constructor(
    private readonly dataSource: DataSource,
    options: OptionValues,
  ) {
    const { entity, path, field, key } = columnsOf(guardedEntitiesOf(dataSource), options);
    [this.#entity, this.#path, this.#field, this.#key] = [entity, path, field, key];
  }

  count(): Promise<number> {
    return this.#select().getCount();
  }

  /** The rows that need a file, in the order of their keys, some at a time. */
  async *pages(size: number): AsyncGenerator<PathRecord[], void> {
    const key = `record.${this.#key.propertyPath}`;
    for (let after: unknown; ;) {
      const query = this.#select();
      if (after !== undefined) query.andWhere(`${key} > :after`, { after: this.#stored(this.#key, after) });
      // A class may leave them out of what is selected.
      const needed = [this.#key, this.#entity.idColumn, this.#path];
      query.addSelect(needed.map(({ propertyPath }) => `record.${propertyPath}`));
      const rows = await query.orderBy(key).limit(size).getMany();
      if (rows.length > 0) yield rows.map((row) => this.#recordOf(row));
      if (rows.length < size) return;
      after = this.#key.getEntityValue(rows.at(-1) ?? {});
    }
  }

  /**
   * Writes the ids of files to the records: one statement. Throws if a record was changed, filled or removed in the
   * meantime.
   */
  async fill(records: readonly PathRecord[], fileIds: readonly string[]): Promise<void> {
    const [key, path, field] = [this.#key, this.#path, this.#field];
    const parameters: Record<string, unknown> = {};
    for (const [at, record] of records.entries()) {
      parameters[`key${at}`] = this.#stored(key, key.getEntityValue(record.key));
      parameters[`path${at}`] = this.#stored(path, record.value);
      parameters[`file${at}`] = this.#stored(field, fileIds[at]);
    }
    const choose = (name: string): string =>
      `CASE ${this.#quoted(key)} ${records.map((_, at) => `WHEN :key${at} THEN :${name}${at}`).join(' ')} END`;
    const keys = records.map((_, at) => `:key${at}`).join(', ');
    const { affected } = await this.dataSource
      .getRepository(this.#entity.metadata.target)
      .createQueryBuilder()
      .update()
      .set(nested(field.propertyPath, () => this.#typed(field, choose('file'))))
      .where(`${this.#quoted(key)} IN (${keys}) AND ${this.#quoted(field)} IS NULL`)
      .andWhere(`${this.#quoted(path)} = ${choose('path')}`)
      .setParameters(parameters)
      .execute();
    if (affected !== records.length)
      throw new Error('the path or the field was changed, or the record was removed, in the meantime');
  }

  #select(): SelectQueryBuilder<ObjectLiteral> {
    return this.dataSource
      .getRepository(this.#entity.metadata.target)
      .createQueryBuilder('record')
      .where(`record.${this.#field.propertyPath} IS NULL AND record.${this.#path.propertyPath} <> ''`);
  }

  #recordOf(row: ObjectLiteral): PathRecord {
    const { metadata, ownerType: type, idColumn } = this.#entity;
    const value: unknown = this.#path.getEntityValue(row);
    const owner = { type, id: ownerIdOf(idColumn.getEntityValue(row)) ?? '' };
    return { key: metadata.getEntityIdMap(row) ?? {}, owner, path: String(value), value };
  }

  #quoted({ databaseName }: Column): string {
    return this.dataSource.driver.escape(databaseName);
  }

  #stored(column: Column, value: unknown): unknown {
    return this.dataSource.driver.preparePersistentValue(value, column);
  }

  // PostgreSQL takes the texts of a CASE for texts, and the column may be a uuid.
  #typed(column: Column, sql: string): string {
    const { driver } = this.dataSource;
    const [type, length] = [driver.normalizeType(column), driver.getColumnLength(column)];
    const full = driver.createFullType(new TableColumn({ name: column.databaseName, type, length }));
    return dialectOf(this.dataSource).typed(sql, full);
  }
}

/** An object with this one value. A new embedded object has its other columns, too: TypeORM would set them to NULL. */
function nested(path: string, value: unknown): ObjectLiteral {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as ObjectLiteral;
}

function columnsOf(entities: readonly GuardedEntity[], options: OptionValues) {
  const [source, property] = [requiredIn(options, 'from-column'), requiredIn(options, 'field')];
  const [name, column] = splitColumn(source);
  const owners = entities.filter(({ ownerType }) => ownerType !== '');
  const entity = owners.find(({ metadata }) => metadata.name === name);
  if (!entity) {
    const names = owners.map(({ metadata }) => metadata.name);
    throw new UsageError(`--from-column: "${name}" is not a class with a @FileField(). Available: ${listOf(names)}.`);
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
  if (!path) throw new UsageError(`--from-column: ${name} has no property "${column}".`);
  const [key, ...more] = entity.metadata.primaryColumns;
  if (!key || more.length > 0) throw new UsageError(`--from-column: the primary key of "${name}" is not one column.`);
  return { entity, path, field: field.column, key };
}

/** The class, and the path of its property, which has dots where it is in an embedded object. */
function splitColumn(source: string): [name: string, column: string] {
  const at = source.indexOf('.');
  if (at < 1 || at === source.length - 1)
    throw new UsageError(`--from-column is "${source}", and must be a class and a property, such as Package.path.`);
  return [source.slice(0, at), source.slice(at + 1)];
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
