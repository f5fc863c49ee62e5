import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Module } from '@nestjs/common';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FileField, FilesModule, FilesService, ManagedFile, OwnsFiles } from '../../../lib/index.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { reachableDatabases } from '../../support/databases.js';
import type { EmptyDatabase } from '../../support/databases.js';
import { emptyPast, updatePast } from '../../support/past-the-guard.js';
import { runCli } from '../../support/run-cli.js';
import { StatementLog } from '../../support/statement-log.js';

@Entity()
@OwnsFiles('letter')
class Letter {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 100, nullable: true }) path!: string | null;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

const [FEW, MANY] = [20, 220];

describe.each(await reachableDatabases('file', 'postgres', 'mariadb'))('the command line on $name', (database) => {
  const statements: string[] = [];
  let empty: EmptyDatabase;
  let directory: string;
  let module: Type;
  let app: INestApplicationContext;
  let files: FilesService;
  let dataSource: DataSource;

  beforeAll(async () => {
    empty = await database.create();
    directory = await mkdtemp(join(tmpdir(), 'files-cli-'));
    const connection = { ...empty.options, logging: ['query'], logger: new StatementLog(statements) };
    @Module({
      imports: [
        TypeOrmModule.forRoot({ ...connection, synchronize: true, autoLoadEntities: true } as TypeOrmModuleOptions),
        TypeOrmModule.forFeature([Letter]),
        FilesModule.forRoot({
          storages: {
            default: fsStorage({ root: join(directory, 'default') }),
            other: fsStorage({ root: join(directory, 'other') }),
          },
          sweeper: false,
          drafts: { expireAfter: '7d' },
        }),
      ],
    })
    class CountedModule {}
    module = CountedModule;
    app = await NestFactory.createApplicationContext(module, { logger: ['error'] });
    files = app.get(FilesService);
    dataSource = app.get(DataSource);
  });
  beforeEach(() => emptyPast(dataSource));
  afterAll(async () => {
    await app.close();
    await empty.drop();
    await rm(directory, { recursive: true });
  });

  let rounds = 0;

  /** Old bytes in a directory of their own. */
  async function bytes(below: string, count: number): Promise<string[]> {
    const round = `round${rounds++}`;
    await mkdir(join(directory, below, round), { recursive: true });
    const old = new Date(Date.now() - 3 * 86_400_000);
    const locations = Array.from({ length: count }, (_, at) => `${round}/${at}.txt`);
    for (const location of locations) {
      await writeFile(join(directory, below, location), `bytes of ${location}`, { mode: 0o600 });
      await utimes(join(directory, below, location), old, old);
    }
    return locations;
  }

  const registered = async (count: number, owner = { type: 'user', id: 'ada' }) =>
    files.registerAll((await bytes('default', count)).map((location) => ({ location, owner })));

  const letters = (paths: readonly string[]) =>
    dataSource.getRepository(Letter).save(paths.map((path) => ({ path, fileId: null })));

  const importing = ['import', '--from-column', 'Letter.path', '--field', 'fileId'];

  const COMMANDS: Record<string, (count: number) => Promise<string[]>> = {
    'import DIR': async (count) => {
      await bytes('incoming', count);
      return ['import', join(directory, 'incoming'), '--owner', 'user:ada'];
    },
    'import DIR --from-column': async (count) => {
      await letters(await bytes('incoming', count));
      return [...importing, join(directory, 'incoming')];
    },
    'import --storage': async (count) => {
      await letters(await bytes('default', count));
      return [...importing, '--storage', 'default'];
    },
    'import --list': async (count) => {
      const list = join(directory, 'list.jsonl');
      const lines = (await bytes('default', count)).map((location) =>
        JSON.stringify({ location, owner_type: 'user', owner_id: 'ada', pinned: true }),
      );
      await writeFile(list, lines.join('\n'));
      return ['import', '--list', list, '--storage', 'default'];
    },
    'orphans --adopt': async (count) => {
      await bytes('default', count);
      return ['orphans', '--storage', 'default', '--adopt', '--owner', 'user:ada'];
    },
    'orphans --delete': async (count) => {
      await bytes('default', count);
      return ['orphans', '--storage', 'default', '--delete'];
    },
    move: async (count) => {
      await registered(count);
      return ['move', '--from', 'default', '--to', 'other'];
    },
    copy: async (count) => {
      await registered(count);
      return ['copy', '--from', 'default', '--to', 'other'];
    },
    erase: async (count) => {
      await registered(count);
      return ['erase', 'user:ada', '--delete', '--anonymise'];
    },
    expire: async (count) => {
      await registered(count);
      await updatePast(dataSource, ManagedFile, { ownerType: 'user' }, { expiresAt: Date.now() - 1000 });
      return ['expire'];
    },
    'verify --fix': async (count) => {
      const { id } = await dataSource.getRepository(Letter).save({ path: null, fileId: null });
      const made = await registered(count, { type: 'letter', id: String(id) });
      await files.pin(made.map((file) => file.id));
      return ['verify', '--fix', 'unnamed-file'];
    },
  };

  it.each(Object.keys(COMMANDS))('sends no statement for each file: %s', async (name) => {
    const taken: number[] = [];
    for (const count of [FEW, MANY]) {
      await emptyPast(dataSource);
      for (const place of ['default', 'other', 'incoming'])
        for (let round = 0; round < rounds; round++)
          await rm(join(directory, place, `round${round}`), { recursive: true, force: true });
      const argv = await COMMANDS[name]!(count);
      statements.length = 0;
      const { code, notes } = await runCli(module, argv);
      expect(code, notes).toBe(0);
      taken.push(statements.length);
    }
    const [few, many] = taken as [number, number];
    // Pages of a hundred files have statements of their own.
    expect(many - few, `${few} for ${FEW} files, ${many} for ${MANY}`).toBeLessThan((MANY - FEW) / 4);
  });
});
