import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DatabaseMismatchError } from '../../../lib/errors/setup.errors.js';
import { ServerCheck } from '../../../lib/migrations/server-check.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { reachableDatabases } from '../../support/databases.js';

const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);

afterEach(() => warn.mockClear());

async function checked(options: DataSourceOptions): Promise<unknown> {
  const dataSource = await new DataSource(options).initialize();
  const transactor = new Transactor(dataSource);
  try {
    return await new ServerCheck(transactor).onModuleInit().catch((error: unknown) => error);
  } finally {
    transactor.close();
    await dataSource.destroy();
  }
}

for (const kind of await reachableDatabases('mariadb')) {
  if (kind.kind !== 'mariadb') continue;
  describe('the check of the server at boot', () => {
    const as = async (options: object): Promise<unknown> => {
      const database = await kind.open({ entities: [] });
      try {
        return await checked({ ...database.dataSource.options, synchronize: false, ...options } as DataSourceOptions);
      } finally {
        await database.close();
      }
    };

    it('accepts the right type', async () => {
      expect(await as({ type: 'mariadb' })).toBeUndefined();
      expect(await as({ type: 'mariadb', synchronize: true })).toBeUndefined();
      expect(warn).not.toHaveBeenCalled();
    });

    it('warns of the type mysql on MariaDB', async () => {
      expect(await as({ type: 'mysql' })).toBeUndefined();
      expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("Set `type: 'mariadb'`"));
    });

    it('refuses it where TypeORM synchronizes', async () => {
      expect(await as({ type: 'mysql', synchronize: true })).toBeInstanceOf(DatabaseMismatchError);
    });
  });
}

it('leaves other databases and closed data sources alone when it checks the server at boot', async () => {
  expect(await checked({ type: 'better-sqlite3', database: ':memory:' })).toBeUndefined();
  const closed = new Transactor(new DataSource({ type: 'mysql', url: 'mysql://127.0.0.1:1/none' }));
  expect(await new ServerCheck(closed).onModuleInit()).toBeUndefined();
  closed.close();
});
