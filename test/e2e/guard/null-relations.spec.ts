import { Column, DeleteDateColumn, Entity, JoinColumn, ManyToOne, OneToMany, PrimaryGeneratedColumn } from 'typeorm';
import type { Relation } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileField, ManagedFile, OwnsFiles } from '../../../lib/index.js';
import { FilesNotOwnError } from '../../../lib/entry/errors.js';
import { reachableDatabases } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';

@Entity()
class Folder {
  @PrimaryGeneratedColumn() id!: number;
  @DeleteDateColumn() deletedAt!: Date | null;
  @OneToMany(() => Sheet, (sheet) => sheet.folder) sheets!: Relation<Sheet>[];
}

/** Columns beside the relations that they join. */
@Entity()
@OwnsFiles('folder', { idField: 'folderId' })
class Sheet {
  @PrimaryGeneratedColumn() id!: number;
  @Column('int', { nullable: true }) folderId!: number | null;
  @ManyToOne(() => Folder, ({ sheets }) => sheets, { nullable: true })
  @JoinColumn({ name: 'folderId' })
  folder!: Relation<Folder> | null;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) scanId!: string | null;
  @ManyToOne(() => ManagedFile, { nullable: true }) @JoinColumn({ name: 'scanId' }) scan!: Relation<ManagedFile> | null;
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'Relations set to null on $name',
  (database) => {
    let app: GuardedApp;
    beforeAll(async () => {
      app = await guardedApp({ database, entities: [Folder, Sheet] });
    });
    afterAll(() => app.close());

    const sheets = () => app.dataSource.getRepository(Sheet);
    async function sheetWithFile(): Promise<{ id: number; folderId: number; scanId: string }> {
      const { id: folderId } = await app.dataSource.getRepository(Folder).save({});
      const scanId = await app.fileOf('folder', folderId);
      const { id } = await sheets().save({ folderId, scanId });
      return { id, folderId, scanId };
    }

    it('do not take the owner from a row that names a file', async () => {
      const { id, folderId, scanId } = await sheetWithFile();
      await expect(sheets().save({ id, folder: null })).rejects.toThrow(FilesNotOwnError);
      await expect(sheets().update(id, { folder: null })).rejects.toThrow(FilesNotOwnError);
      const folders = app.dataSource.getRepository(Folder);
      await expect(folders.save({ id: folderId, sheets: [] })).rejects.toThrow(FilesNotOwnError);
      expect(await sheets().findOneByOrFail({ id })).toMatchObject({ folderId, scanId });
      expect(await app.ownerOf(scanId)).toBe(`folder ${folderId}*`);
    });

    it('do not take it either where a softly deleted owner loads as null', async () => {
      const { id, folderId, scanId } = await sheetWithFile();
      await app.dataSource.getRepository(Folder).softDelete(folderId);
      const loaded = await sheets().findOneOrFail({ where: { id }, relations: { folder: true } });
      expect(loaded.folder).toBeNull();
      await expect(app.queue.run(() => sheets().save(loaded))).rejects.toThrow(FilesNotOwnError);
      expect(await sheets().findOneByOrFail({ id })).toMatchObject({ folderId, scanId });
    });

    it.each<[string, (id: number) => Promise<unknown>]>([
      ['save', (id) => sheets().save({ id, scan: null })],
      ['update', (id) => sheets().update(id, { scan: null })],
    ])('let the file go: %s', async (_, write) => {
      const { id, scanId } = await sheetWithFile();
      await write(id);
      expect(await sheets().findOneByOrFail({ id })).toMatchObject({ scanId: null });
      expect(await app.ownerOf(scanId)).toBe('-');
    });
  },
);
