import { randomUUID } from 'node:crypto';
import { Column, DefaultNamingStrategy, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { DeepPartial, QueryDeepPartialEntity } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FileField, ManagedFile, OwnsFiles } from '../../../lib/index.js';
import { FilesAudit } from '../../../lib/entry/maintenance.js';
import type { AuditFinding, AuditOptions } from '../../../lib/entry/maintenance.js';
import {
  AUDITED,
  Dossier,
  Film,
  Leaflet,
  Loan,
  Medium,
  Photo,
  Shelf,
  Slot,
  Stamp,
} from '../../support/audit-entities.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Binder, Clause, GUARDED, Page, Room, Ticket, Track } from '../../support/guarded-entities.js';
import { deletePast, emptyPast, updatePast } from '../../support/past-the-guard.js';
import { isTypeorm03 } from '../../support/versions.js';

const JOINED = new Set(['shelfId', 'binderId', 'attachmentId']);

@Entity()
@OwnsFiles('tray')
class Tray {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('jsonb', { default: [] }) fileIds!: string[];
}

/** Other names of columns and tables than those of the classes. */
class OddNames extends DefaultNamingStrategy {
  override columnName(property: string, custom: string, prefixes: string[]): string {
    const name = super.columnName(property, custom, prefixes);
    return JOINED.has(name) ? name : `c_${name}`;
  }

  override tableName(target: string, custom: string): string {
    return `t_${super.tableName(target, custom)}`;
  }
}

function withNames(database: TestDatabase): TestDatabase {
  return {
    ...database,
    create: async () => {
      const made = await database.create();
      return { ...made, options: { ...made.options, namingStrategy: new OddNames() } };
    },
  };
}

const databases = await reachableDatabases('memory', 'postgres', 'mariadb');
const variants = [
  ...databases,
  ...databases.slice(-1).map((one) => ({ ...withNames(one), name: `${one.name}, with other names` })),
];

describe.each(variants)('an audit on $name', (database) => {
  let app: GuardedApp;

  beforeAll(async () => void (app = await guardedApp({ database, entities: [...GUARDED, ...AUDITED] })));
  beforeEach(() => emptyPast(app.dataSource));
  afterAll(() => app.close());

  const audit = async (options?: AuditOptions): Promise<AuditFinding[]> => {
    const findings: AuditFinding[] = [];
    for await (const finding of app.app.get(FilesAudit).run(options)) findings.push(finding);
    return findings;
  };
  const repo = <E extends object>(entity: new () => E) => app.dataSource.getRepository<E>(entity);
  /** A row whose fields name files of its own, pinned. */
  const owning = async <E extends object>(
    entity: new () => E,
    type: string,
    row: object,
    fields: (file: () => Promise<string>) => Promise<object>,
    ownerId = 'id',
  ): Promise<E> => {
    const repository = repo(entity);
    const made = repository.create(row as DeepPartial<E>);
    await repository.insert(made as QueryDeepPartialEntity<E>);
    const id = String((made as Record<string, unknown>)[ownerId]);
    const named = await fields(() => app.fileOf(type, id));
    await repository.update(repository.getId(made) as string, named as QueryDeepPartialEntity<E>);
    return Object.assign(made, named);
  };
  const ticket = (fields: (file: () => Promise<string>) => Promise<object>, row: object = {}) =>
    owning(Ticket, 'ticket', row, fields);

  /** Rows of all classes, which name only files of their own. */
  const clean = async () => ({
    ticket: await ticket(async (file) => ({ attachmentId: await file(), imageIds: [await file(), await file()] })),
    bare: await repo(Ticket).save({ title: 'bare' }),
    track: await owning(Track, 'track', { name: 'a' }, async (file) => ({ fileId: await file() })),
    clause: await owning(Clause, 'clause', { number: 7 }, async (file) => ({ fileId: await file() }), 'number'),
    room: await owning(Room, 'room', { id: 'Attic' }, async (file) => ({ planId: await file() })),
    dossier: await owning(Dossier, 'dossier', { id: '4000000000' }, async (file) => ({
      papers: { contractId: await file(), copyIds: [await file()] },
    })),
    film: await owning(Film, 'medium', {}, async (file) => ({ coverId: await file(), trailerId: await file() })),
    photo: await owning(Photo, 'photo', {}, async (file) => ({ coverId: await file(), negativeId: await file() })),
    medium: await owning(Medium, 'medium', {}, async (file) => ({ coverId: await file() })),
    shelf: await repo(Shelf).save({ id: 'S1' }),
    slots: [
      await owning(
        Slot,
        'shelf',
        { shelfId: 'S1', place: 1 },
        async (file) => ({ bookIds: [await file()] }),
        'shelfId',
      ),
      await owning(
        Slot,
        'shelf',
        { shelfId: 'S1', place: 2 },
        async (file) => ({ bookIds: [await file()] }),
        'shelfId',
      ),
    ],
    binder: await (async () => {
      const { id } = await repo(Binder).save(new Binder());
      return owning(Page, 'binder', { binderId: id }, async (file) => ({ scanId: await file() }), 'binderId');
    })(),
    loan: await (async () => {
      const loan = await repo(Loan).save({});
      await app.fileOf('loan', loan.id);
      return loan;
    })(),
    stamp: await owning(Stamp, 'stamp', { id: 'penny' }, async (file) => ({ imageId: await file() })),
    upload: await app.upload('ada'),
  });

  it('yields nothing where all is well, with all classes, deleted rows and uploads of users', async () => {
    const { ticket: kept, loan, shelf } = await clean();
    await repo(Ticket).softRemove(kept);
    await repo(Loan).softRemove(loan);
    await repo(Shelf).softRemove(shelf);

    expect(await audit()).toEqual([]);
    expect(await audit({ deep: true })).toEqual([]);
    expect(await audit({ bytes: false, since: new Date(0) })).toEqual([]);
  });

  it('finds files that are not there, under each kind of field and of key', async () => {
    const { ticket: one, dossier, film, photo, slots } = await clean();
    const lost = randomUUID();
    await updatePast(app.dataSource, Ticket, { id: one.id }, { attachmentId: lost });
    await updatePast(app.dataSource, Dossier, { id: dossier.id }, { 'papers.copyIds': JSON.stringify([lost]) });
    await updatePast(app.dataSource, Film, { id: film.id }, { trailerId: lost });
    await updatePast(app.dataSource, Photo, { id: photo.id }, { coverId: lost });
    await updatePast(app.dataSource, Slot, { shelfId: 'S1', place: 2 }, { bookIds: lost });

    const missing = (await audit()).filter(({ kind }) => kind === 'missing-file');
    const expected = [
      [
        'Dossier',
        { id: database.kind === 'memory' ? 4_000_000_000 : dossier.id },
        { type: 'dossier', id: dossier.id },
        'papers.copyIds',
      ],
      ['Film', { id: film.id }, { type: 'medium', id: film.id }, 'trailerId'],
      ['Photo', { id: photo.id }, { type: 'photo', id: photo.id }, 'coverId'],
      ['Slot', { shelfId: 'S1', place: slots[1]!.place }, { type: 'shelf', id: 'S1' }, 'bookIds'],
      ['Ticket', { id: one.id }, { type: 'ticket', id: one.id }, 'attachmentId'],
    ].map(([entity, key, owner, field]) => {
      return { kind: 'missing-file', record: { entity, key, owner }, field, fileId: lost };
    });
    expect(missing).toHaveLength(expected.length);
    expect(missing).toEqual(expect.arrayContaining(expected));
  });

  it('finds named files of other owners, unowned ones, and those of a row without an owner', async () => {
    const { ticket: one, film, photo } = await clean();
    const [foreign, nobodys] = [await app.upload('bob'), await app.upload('bob')];
    await updatePast(app.dataSource, ManagedFile, { id: nobodys }, { ownerType: null, ownerId: null });
    await updatePast(app.dataSource, Ticket, { id: one.id }, { coverId: foreign });
    await updatePast(app.dataSource, Photo, { id: photo.id }, { coverId: nobodys });
    const { id: leaflet } = await repo(Leaflet).save({ shelfId: null });
    await updatePast(app.dataSource, Leaflet, { id: leaflet }, { coverId: foreign });
    // A file of the same id, but of the other type of the same table.
    await updatePast(app.dataSource, ManagedFile, { id: film.trailerId }, { ownerType: 'photo' });

    const found = await audit();
    const foreigners = found.filter(({ kind }) => kind === 'foreign-file');
    expect(foreigners).toHaveLength(4);
    expect(foreigners).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ field: 'coverId', fileId: foreign, owner: { type: 'user', id: 'bob' } }),
        expect.objectContaining({ field: 'coverId', fileId: nobodys, owner: null }),
        expect.objectContaining({ record: { entity: 'Leaflet', key: { id: leaflet }, owner: null }, fileId: foreign }),
        expect.objectContaining({ field: 'trailerId', owner: { type: 'photo', id: film.id } }),
      ]),
    );
    // The photo whose id is the film's is not there.
    const gone = { kind: 'owner-gone', fileId: film.trailerId, owner: { type: 'photo', id: film.id }, pinned: true };
    expect(found).toContainEqual(gone);
  });

  it('finds values that are not ids, also those that TypeORM cannot read', async () => {
    const { ticket: one, dossier } = await clean();
    await updatePast(app.dataSource, Ticket, { id: one.id }, { imageIds: 'neither JSON nor an id' });
    await updatePast(app.dataSource, Dossier, { id: dossier.id }, { 'papers.contractId': 'report.pdf' });

    expect((await audit()).filter(({ kind }) => kind === 'invalid-id')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ field: 'imageIds', value: 'neither JSON nor an id' }),
        expect.objectContaining({ field: 'papers.contractId', value: 'report.pdf' }),
      ]),
    );
  });

  it('finds files whose owner is gone, of classes with fields and without', async () => {
    const { ticket: one, loan, stamp } = await clean();
    await app.fileOf('ticket', one.id, false);
    await deletePast(app.dataSource, Ticket, { id: one.id });
    await deletePast(app.dataSource, Loan, { id: loan.id });
    await deletePast(app.dataSource, Stamp, { id: `#${stamp.id}` });
    const noUuid = await app.upload();
    await updatePast(app.dataSource, ManagedFile, { id: noUuid }, { ownerType: 'ticket', ownerId: 'no uuid' });

    const gone = (await audit()).map((finding) => {
      if (finding.kind !== 'owner-gone') return finding;
      return `${finding.owner.type} ${finding.owner.id} ${finding.pinned}`;
    });
    // Of `stamp` nobody can say it: its ids go through a transformer.
    expect(gone).toHaveLength(6);
    expect(new Set(gone)).toEqual(
      new Set([`loan ${loan.id} true`, `ticket ${one.id} false`, `ticket ${one.id} true`, 'ticket no uuid false']),
    );
  });

  it('finds pinned files that their owner does not name, and says whether a field keeps such', async () => {
    const { ticket: one, shelf, room } = await clean();
    const files = [
      await app.fileOf('ticket', one.id),
      await app.fileOf('shelf', shelf.id),
      await app.fileOf('room', room.id),
    ];
    await app.fileOf('room', room.id, false);

    const found = await audit();
    // `shelf` has a class without fields too, and what its rows name nobody knows.
    expect(found).toHaveLength(2);
    expect(found).toEqual(
      expect.arrayContaining([
        { kind: 'unnamed-file', fileId: files[0], owner: { type: 'ticket', id: one.id }, mayBeKept: false },
        { kind: 'unnamed-file', fileId: files[2], owner: { type: 'room', id: 'Attic' }, mayBeKept: true },
      ]),
    );
  });

  it('tells a pinned file that no page of a binder names from one that another page names', async () => {
    const { binder: page } = await clean();
    const second = await app.fileOf('binder', page.binderId);
    await repo(Page).save({ binderId: page.binderId, scanId: second });
    const unnamed = await app.fileOf('binder', page.binderId);

    expect(await audit()).toEqual([
      { kind: 'unnamed-file', fileId: unnamed, owner: { type: 'binder', id: page.binderId }, mayBeKept: true },
    ]);
  });

  it('takes an id in capital letters for that of the file', async () => {
    const { dossier } = await clean();
    const { contractId } = dossier.papers;
    await updatePast(app.dataSource, Dossier, { id: dossier.id }, { 'papers.contractId': contractId!.toUpperCase() });

    expect(await audit()).toEqual([]);
  });
});

const withBinaryJson = databases.filter(({ kind }) => kind === 'memory' && !isTypeorm03);

describe.each(withBinaryJson)('an audit of binary JSON on $name', (database) => {
  let app: GuardedApp;
  beforeAll(async () => void (app = await guardedApp({ database, entities: [Tray] })));
  afterAll(() => app.close());

  it('finds what is wrong, and nothing else', async () => {
    const trays = app.dataSource.getRepository(Tray);
    const { id } = await trays.save({});
    const other = await trays.save({});
    await trays.update(id, { fileIds: [await app.fileOf('tray', id), await app.fileOf('tray', id)] });
    const found = async () => {
      const findings: AuditFinding[] = [];
      for await (const finding of app.app.get(FilesAudit).run()) findings.push(finding);
      return findings;
    };
    expect(await found()).toEqual([]);

    const lost = randomUUID();
    await updatePast(app.dataSource, Tray, { id }, { fileIds: JSON.stringify([lost]) });
    await updatePast(app.dataSource, Tray, { id: other.id }, { fileIds: 'no JSON' });
    expect((await found()).filter(({ kind }) => kind !== 'unnamed-file')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'missing-file', fileId: lost }),
        expect.objectContaining({ kind: 'invalid-id', value: 'no JSON' }),
      ]),
    );
  });
});
