import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';

/** Writes as somebody does who does not go through TypeORM: nothing is checked, and nothing is told to anybody. */
export async function updatePast<Entity extends ObjectLiteral>(
  dataSource: DataSource,
  entity: EntityTarget<Entity>,
  where: Record<string, unknown>,
  values: Record<string, unknown>,
): Promise<void> {
  const statement = new Statement(dataSource, entity);
  await statement.run(`UPDATE ${statement.table} SET ${statement.terms(values, ', ')}${statement.where(where)}`);
}

export async function deletePast<Entity extends ObjectLiteral>(
  dataSource: DataSource,
  entity: EntityTarget<Entity>,
  where: Record<string, unknown>,
): Promise<void> {
  const statement = new Statement(dataSource, entity);
  await statement.run(`DELETE FROM ${statement.table}${statement.where(where)}`);
}

/** Removes all rows of all tables; those that refer to others first. */
export async function emptyPast(dataSource: DataSource): Promise<void> {
  const { entityMetadatas, driver } = dataSource;
  const tables = entityMetadatas.toSorted((one, other) => other.foreignKeys.length - one.foreignKeys.length);
  for (const path of new Set(tables.map(({ tablePath }) => tablePath))) {
    await dataSource.query(`DELETE FROM ${driver.escape(path)}`);
  }
}

class Statement<Entity extends ObjectLiteral> {
  readonly #parameters: unknown[] = [];

  constructor(
    private readonly dataSource: DataSource,
    private readonly entity: EntityTarget<Entity>,
  ) {}

  get table(): string {
    return this.#quote(this.dataSource.getMetadata(this.entity).tablePath);
  }

  /** `column = value` for each property; values are what the database has. */
  terms(values: Record<string, unknown>, separator = ' AND '): string {
    const terms = Object.entries(values).map(([path, value]) => {
      const column = this.dataSource.getMetadata(this.entity).findColumnWithPropertyPath(path);
      if (!column) throw new Error(`There is no property ${path}`);
      const place = this.dataSource.driver.createParameter('', this.#parameters.push(value) - 1);
      return `${this.#quote(column.databaseName)} = ${place}`;
    });
    return terms.join(separator);
  }

  where(values: Record<string, unknown>): string {
    return Object.keys(values).length === 0 ? '' : ` WHERE ${this.terms(values)}`;
  }

  async run(sql: string): Promise<void> {
    await this.dataSource.query(sql, this.#parameters);
  }

  #quote(name: string): string {
    return this.dataSource.driver.escape(name);
  }
}
