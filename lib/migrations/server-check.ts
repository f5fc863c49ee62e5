import { Injectable, Logger } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { DatabaseMismatchError } from '../errors/setup.errors.js';
import { Transactor } from '../unit-of-work/transactor.js';

/**
 * Compares the type of the data source with its server at boot. TypeORM takes MariaDB for MySQL, or the reverse,
 * without a word; then it never finds the JSON columns as it wants them.
 */
@Injectable()
export class ServerCheck implements OnModuleInit {
  readonly #logger = new Logger('FilesModule');

  constructor(private readonly transactor: Transactor) {}

  async onModuleInit(): Promise<void> {
    const { dataSource } = this.transactor;
    const { type, synchronize } = dataSource.options;
    if (!dataSource.isInitialized || (type !== 'mysql' && type !== 'mariadb')) return;
    const [row] = await dataSource.query<{ version: string }[]>('SELECT VERSION() AS version');
    const server = row?.version.includes('MariaDB') ? 'mariadb' : 'mysql';
    if (server === type) return;
    if (synchronize) throw new DatabaseMismatchError(type, server);
    this.#logger.warn(
      `The data source has the type "${type}", but its server is ${server}. Do not trust migrations that TypeORM generates: ` +
        `they would drop the JSON columns. Set \`type: '${server}'\`.`,
    );
  }
}
