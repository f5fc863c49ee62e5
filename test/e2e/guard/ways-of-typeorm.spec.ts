import {
  BaseEntity,
  Column,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
  Repository,
  Tree,
  TreeChildren,
  TreeParent,
} from 'typeorm';
import type { DataSource, EntitySubscriberInterface, InsertEvent, Relation } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, ManagedFile, OwnsFiles } from '../../../lib/index.js';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

@Entity()
@OwnsFiles('doc')
class Doc {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { default: '' }) title!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('active')
class ActiveDoc extends BaseEntity {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@Tree('materialized-path')
@OwnsFiles('branch')
class Branch {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
  @TreeChildren({ cascade: true }) children!: Branch[];
  @TreeParent() parent!: Branch | null;
}

@Entity()
@OwnsFiles('lazy')
class LazyDoc {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @ManyToOne(() => ManagedFile) @JoinColumn() file!: Promise<Relation<ManagedFile> | null>;
}

/** Writes a second document when a third one is made. */
class Copier implements EntitySubscriberInterface<ActiveDoc> {
  fileId: string | undefined;
  listenTo(): typeof ActiveDoc {
    return ActiveDoc;
  }
  async afterInsert({ manager }: InsertEvent<ActiveDoc>): Promise<void> {
    if (this.fileId) await manager.insert(Doc, { fileId: this.fileId });
  }
}

class DocRepository extends Repository<Doc> {
  name(id: number, fileId: string): Promise<unknown> {
    return this.update(id, { fileId });
  }
}

const ENTITIES = [Doc, ActiveDoc, Branch, LazyDoc];
type Way = (dataSource: DataSource, fileId: string, app: GuardedApp) => Promise<unknown>;

const made = async (dataSource: DataSource): Promise<number> => (await dataSource.getRepository(Doc).save({})).id;
const copier = new Copier();

const WAYS: [string, Way][] = [
  [
    'save of many in chunks',
    (source, fileId) => source.getRepository(Doc).save([{ title: 'a' }, { fileId }, { title: 'b' }], { chunk: 1 }),
  ],
  [
    'repository.extend',
    async (source, fileId) => {
      const docs = source.getRepository(Doc).extend({
        name(id: number) {
          return this.update(id, { fileId });
        },
      });
      return docs.name(await made(source));
    },
  ],
  [
    'a class that extends Repository',
    async (source, fileId) => new DocRepository(Doc, source.createEntityManager()).name(await made(source), fileId),
  ],
  [
    'manager.withRepository',
    async (source, fileId) => {
      const docs = new DocRepository(Doc, source.manager);
      return source.manager.withRepository(docs).name(await made(source), fileId);
    },
  ],
  ['dataSource.manager', (source, fileId) => source.manager.save(Doc, { fileId })],
  ['manager.upsert', async (source, fileId) => source.manager.upsert(Doc, { id: await made(source), fileId }, ['id'])],
  ['dataSource.createEntityManager', (source, fileId) => source.createEntityManager().insert(Doc, { fileId })],
  [
    'manager.transaction, and one more inside of it',
    ({ manager }, fileId) =>
      manager.transaction((outer) => outer.transaction((inner) => inner.insert(Doc, { fileId }))),
  ],
  [
    'an injected repository inside of dataSource.transaction',
    (source, fileId) => {
      const docs = source.getRepository(Doc);
      return source.transaction(() => docs.save({ fileId }));
    },
  ],
  ['BaseEntity.save', (_, fileId) => ActiveDoc.create({ fileId }).save()],
  [
    'static methods of BaseEntity',
    async (_, fileId) => ActiveDoc.update((await ActiveDoc.create({}).save()).id, { fileId }),
  ],
  [
    'a subscriber, through the manager of its event',
    async (_, fileId) => {
      copier.fileId = fileId;
      try {
        return await ActiveDoc.create({}).save();
      } finally {
        copier.fileId = undefined;
      }
    },
  ],
  [
    'TreeRepository.save',
    async (source, fileId) => {
      const branches = source.getTreeRepository(Branch);
      return branches.save({ parent: await branches.save({}), fileId });
    },
  ],
  [
    'a cascade within a tree',
    (source, fileId) => source.getTreeRepository(Branch).save({ children: [{ children: [{ fileId }] }] }),
  ],
  [
    'a lazy relation that is set',
    async (source, fileId, { dataSource }) => {
      const file = await dataSource.getRepository(ManagedFile).findOneByOrFail({ id: fileId });
      const lazy = source.getRepository(LazyDoc);
      const doc = lazy.create();
      doc.file = Promise.resolve(file);
      return lazy.save(doc);
    },
  ],
  [
    'the manager of a query runner',
    async (source, fileId) => {
      const runner = source.createQueryRunner();
      try {
        return await runner.manager.getRepository(Doc).save({ fileId });
      } finally {
        await runner.release();
      }
    },
  ],
  [
    'a query builder on a query runner',
    async (source, fileId) => {
      const runner = source.createQueryRunner();
      try {
        return await source.createQueryBuilder(runner).insert().into(Doc).values({ fileId }).execute();
      } finally {
        await runner.release();
      }
    },
  ],
  [
    'a query runner with a transaction of its own',
    async (source, fileId) => {
      const runner = source.createQueryRunner();
      await runner.startTransaction();
      try {
        await runner.manager.insert(Doc, { fileId });
        await runner.commitTransaction();
      } finally {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        await runner.release();
      }
    },
  ],
];

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('TypeORM on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: ENTITIES });
    ActiveDoc.useDataSource(app.dataSource);
    app.dataSource.subscribers.push(copier);
  });
  afterAll(() => app.close());

  async function isNamed(fileId: string): Promise<boolean> {
    const { dataSource } = app;
    const found = await Promise.all([
      ...[Doc, ActiveDoc, Branch].map((entity) =>
        dataSource.getRepository<{ fileId: string | null }>(entity as never).existsBy({ fileId }),
      ),
      dataSource.getRepository(LazyDoc).existsBy({ file: { id: fileId } as never }),
    ]);
    return found.includes(true);
  }

  it.each(WAYS)('saves no foreign file by %s', async (_, write) => {
    const file = await app.upload('bob');
    await expect(write(app.dataSource, file, app)).rejects.toThrow(FilesNotOwnError);
    expect([await isNamed(file), await app.ownerOf(file)]).toEqual([false, 'user bob']);
  });

  it.each(WAYS)('saves no foreign file in a unit of work by %s', async (_, write) => {
    const file = await app.upload('bob');
    await expect(app.queue.run(() => write(app.dataSource, file, app))).rejects.toThrow(FilesNotOwnError);
    expect([await isNamed(file), await app.ownerOf(file)]).toEqual([false, 'user bob']);
  });
});
