import { FilesService } from 'nestjs-files';
import type { FileFilter } from 'nestjs-files';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reachableDatabases } from '../../support/databases.js';
import { startApp } from '../../support/http-app.js';

const SETTINGS = {
  postgres: { name: 'standard_conforming_strings = off', extra: { options: '-c standard_conforming_strings=off' } },
  file: {
    name: 'case_sensitive_like',
    prepareDatabase: (connection: { pragma(source: string): unknown }) => connection.pragma('case_sensitive_like = ON'),
  },
};

const cases = (await reachableDatabases('file', 'postgres')).map((database) => {
  const { name: setting, ...options } = SETTINGS[database.kind as keyof typeof SETTINGS];
  return { database, setting, options };
});

describe.each(cases)('with $setting on $database.name,', ({ database, options }) => {
  it('finds by search the same files as elsewhere', async () => {
    const { options: own, drop } = await database.create();
    onTestFinished(drop);
    const { app, dataSource } = await startApp({ database: { ...own, ...options } as DataSourceOptions });
    const files = app.get(FilesService);
    const data = { path: String.raw`c:\temp`, 'k\u00e9y': 'x', nul: 'a\u0000b', half: '\ud800', n: 7 };
    const { id } = await files.create(Buffer.from('x'), { name: 'Report_100%.PDF', owner: null });
    await dataSource.manager.update('ManagedFile', { id }, { metadata: data });
    await files.create(Buffer.from('y'), { name: 'other.txt', owner: null });
    const count = async (filters: FileFilter) => (await files.search({ filters })).count;
    const found: FileFilter[] = [
      { metadata: { path: String.raw`c:\temp` } },
      { metadata: { path: { $like: String.raw`c:\\%` } } },
      { 'metadata.k\u00e9y': 'x', 'metadata.n': { $gte: 7 } },
      { name: { $ilike: 'report%' } },
      { name: { $ilike: String.raw`REPORT\_100\%.pdf` } },
      { name: { $like: 'Report%' } },
    ];
    for (const filters of found) expect([filters, await count(filters)]).toEqual([filters, 1]);
    const missed: FileFilter[] = [
      { name: { $like: 'report%' } },
      { metadata: { path: 'c:temp' } },
      { name: { $ilike: 'X%' } },
    ];
    for (const filters of missed) expect([filters, await count(filters)]).toEqual([filters, 0]);
  });
});
