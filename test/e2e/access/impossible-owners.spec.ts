import { Injectable, Logger } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { OwnerPolicy, OwnsFiles } from '../../../lib/index.js';
import type { Actor, FileOwnerPolicy, OwnerOperation } from '../../../lib/index.js';
import { reachableDatabases } from '../../support/databases.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

@Entity()
@OwnsFiles('package')
class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
}

@Entity()
@OwnsFiles('album')
class Album {
  @PrimaryColumn('int') id!: number;
}

/** The library does not know whose type it is. */
@Entity()
class Parcel {
  @PrimaryColumn('uuid') id!: string;
}

@Injectable()
@OwnerPolicy('package')
class PackageFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}
  async allows(_: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    return (await this.packages.existsBy({ id })) && actor !== null;
  }
}

@Injectable()
@OwnerPolicy('album')
class AlbumFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Album) private readonly albums: Repository<Album>) {}
  async allows(_: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    return (await this.albums.existsBy({ id: id as unknown as number })) && actor !== null;
  }
}

@Injectable()
@OwnerPolicy('parcel')
class ParcelFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Parcel) private readonly parcels: Repository<Parcel>) {}
  async allows(_: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    return (await this.parcels.existsBy({ id })) && actor !== null;
  }
}

const IMPOSSIBLE = [
  ['package', 'nope'],
  ['package', '0'],
  ['album', 'nope'],
  ['album', '1.5'],
  ['album', '99999999999999999999'],
] as const;

const JSON_TYPE = { 'content-type': 'application/json' };

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('on $name', ({ kind, create }) => {
  describe.each(PLATFORMS)('with %s', (platform) => {
    async function start() {
      const errors: unknown[] = [];
      const log = vi.spyOn(Logger.prototype, 'error').mockImplementation((message) => void errors.push(message));
      onTestFinished(() => log.mockRestore());
      const { options: database, drop } = await create();
      onTestFinished(drop);
      const app = await startApp({
        platform,
        database,
        imports: [TypeOrmModule.forFeature([Package, Album, Parcel])],
        providers: [PackageFiles, AlbumFiles, ParcelFiles],
      });
      const { id } = await uploadFile(app, 'anna', formWith('x'));
      const list = (type: string, owner: string, user?: string) =>
        app.fetch(`/files?ownerType=${type}&ownerId=${owner}`, user === undefined ? {} : { user });
      const transfer = (ownerType: string, ownerId: string, user: string) => {
        const body = JSON.stringify({ ownerType, ownerId });
        return app.fetch(`/files/${id}/transfer`, { method: 'POST', user, headers: JSON_TYPE, body });
      };
      return { list, transfer, errors };
    }

    it('answers for an id that no owner can have as for one that no owner has', async () => {
      const { list, transfer, errors } = await start();
      for (const [type, id] of IMPOSSIBLE) {
        const answers = await Promise.all([
          list(type, id),
          list(type, id, 'anna'),
          list(type, id, 'admin'),
          transfer(type, id, 'anna'),
          transfer(type, id, 'admin'),
        ]);
        expect([type, id, ...answers.map(({ status }) => status)]).toEqual([type, id, 401, 403, 200, 403, 422]);
        expect(await answers[2].json()).toEqual({ count: 0, results: [], next: null });
        expect(await answers[4].json()).toMatchObject({ code: 'FILES_OWNER_NOT_FOUND' });
      }
      expect(errors).toEqual([]);
    });

    it('blames the client for an id that a policy cannot ask the database for', async () => {
      const { list, transfer, errors } = await start();
      const answers = await Promise.all([list('parcel', 'nope', 'anna'), transfer('parcel', 'nope', 'anna')]);
      const refusal = kind === 'postgres' ? 'FILES_OWNER_REFERENCE_INVALID' : 'FILES_ACCESS_DENIED';
      const status = kind === 'postgres' ? 400 : 403;
      for (const answer of answers)
        expect([answer.status, await answer.json()]).toMatchObject([status, { code: refusal }]);
      expect(errors).toEqual([]);
    });
  });
});
