import { BeforeInsert, Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import type { EntitySubscriberInterface, InsertEvent, UpdateEvent } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FileField, OwnsFiles } from '../../../lib/index.js';
import { FilesNotOwnError, RecordWriteUnseenError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

/** What a listener puts into the next row. */
const next: { id: string; fileId?: string } = { id: '' };

@Entity()
@OwnsFiles('badge')
class Badge {
  @PrimaryColumn('varchar', { length: 40 }) id!: string;
  @Column('varchar', { default: '' }) text!: string;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;

  @BeforeInsert() name(): void {
    Object.assign(this, next);
  }
}

/** Puts a file into what others write. */
class Meddler implements EntitySubscriberInterface<Badge> {
  fileId: string | undefined;

  listenTo(): typeof Badge {
    return Badge;
  }
  beforeInsert({ entity }: InsertEvent<Badge>): void {
    if (this.fileId) Object.assign(entity, { fileId: this.fileId });
  }
  beforeUpdate({ entity }: UpdateEvent<Badge>): void {
    if (this.fileId && entity) Object.assign(entity, { fileId: this.fileId });
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('Listeners on $name', (database) => {
  let app: GuardedApp;
  const meddler = new Meddler();
  let count = 0;
  beforeAll(async () => {
    app = await guardedApp({ database, entities: [Badge] });
    app.app.get(DataSource).subscribers.push(meddler);
  });
  afterAll(() => app.close());
  beforeEach(() => {
    next.id = `badge ${++count}`;
    delete next.fileId;
    meddler.fileId = undefined;
  });

  const badges = () => app.dataSource.getRepository(Badge);
  const badge = (value: Partial<Badge> = {}) => badges().create(value);

  it.each<[string, () => Promise<unknown>]>([
    ['save', () => badges().save(badge())],
    ['insert', () => badges().insert(badge())],
    [
      'a query builder that leaves its values alone',
      () => badges().createQueryBuilder().insert().values(badge()).updateEntity(false).execute(),
    ],
  ])('cannot let a row of their class name a foreign file: %s', async (_, write) => {
    next.fileId = await app.upload('bob');
    await expect(write()).rejects.toThrow(FilesNotOwnError);
    await expect(app.queue.run(write)).rejects.toThrow(FilesNotOwnError);
    expect(await badges().existsBy({ id: next.id })).toBe(false);
    delete next.fileId;
    await write();
    expect(await badges().existsBy({ id: next.id })).toBe(true);
  });

  it('may choose an owner id, which inherits nothing', async () => {
    const left = await app.fileOf('badge', next.id);
    await badges().insert(badge());
    expect(await app.ownerOf(left)).toBe('-');
  });

  it.each<[string, (id: string) => Promise<unknown>]>([
    ['save', async (id) => badges().save(Object.assign(await badges().findOneByOrFail({ id }), { text: 'new' }))],
    ['update', (id) => badges().update(id, { text: 'new' })],
    ['update of another file', (id) => badges().update(id, { text: 'new', fileId: null })],
  ])('cannot let an updated row name a foreign file: %s', async (way, write) => {
    const { id } = await badges().save(badge());
    meddler.fileId = await app.upload('bob');
    const refused = way === 'save' ? FilesNotOwnError : RecordWriteUnseenError;
    await expect(write(id)).rejects.toThrow(refused);
    await expect(app.queue.run(() => write(id))).rejects.toThrow(refused);
    expect(await badges().findOneByOrFail({ id })).toMatchObject({ text: '', fileId: null });
    meddler.fileId = undefined;
    await write(id);
    expect(await badges().existsBy({ id, text: 'new' })).toBe(true);
  });

  it('cannot let an inserted row name a foreign file', async () => {
    meddler.fileId = await app.upload('bob');
    await expect(badges().insert({ id: next.id })).rejects.toThrow(FilesNotOwnError);
    await expect(badges().upsert({ id: next.id, text: 'x' }, ['id'])).rejects.toThrow(FilesNotOwnError);
    expect(await badges().existsBy({ id: next.id })).toBe(false);
  });
});
