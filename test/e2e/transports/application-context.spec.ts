import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { validateOrReject } from 'class-validator';
import { plainToInstance } from 'class-transformer';
import { expect, it } from 'vitest';
import { FilesAccess, WithTaskQueue } from '../../../lib/index.js';
import { describeTransport, startTransport } from '../../support/describe-transport.js';
import type { StartedTransport, TransportUnderTest } from '../../support/describe-transport.js';
import { fileById, insertFile } from '../../support/ownership-databases.js';
import { PackageDto, Packages, SECRET } from '../../support/transport-app.js';

@Injectable()
class Importer {
  constructor(private readonly packages: Packages) {}

  /** Skips rows that are refused. */
  @WithTaskQueue()
  async importAll(dtos: PackageDto[]) {
    for (const dto of dtos) await this.importOne(dto).catch(() => undefined);
  }

  @WithTaskQueue()
  async importOne(dto: PackageDto) {
    await validateOrReject(dto);
    return this.packages.create(dto);
  }
}

const ADA = { ownerType: 'user', ownerId: 'ada' };

const script: TransportUnderTest<StartedTransport> = {
  providers: [Importer],
  told: {
    error: (code) => ({ code }),
    unknown: { message: SECRET },
  },
  start: async (module) => {
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    const access = app.get(FilesAccess, { strict: false });
    return {
      app,
      create: (dto, id) =>
        access.actAs({ type: 'user', id }, () => app.get(Importer).importOne(plainToInstance(PackageDto, dto))),
    };
  },
};

await describeTransport('a script in an application context', script);

it('saves the other rows of an import, and nothing of one that is refused after its file was claimed', async () => {
  const { app, titles, dataSource } = await startTransport(script);
  const [first, refused] = [await insertFile(dataSource, ADA), await insertFile(dataSource, ADA)];
  const rows = [{ title: 'first', attachmentId: first }, { title: 7, attachmentId: refused }, { title: 'last' }].map(
    (row) => plainToInstance(PackageDto, row),
  );
  const access = app.get(FilesAccess, { strict: false });
  await access.actAs({ type: 'user', id: 'ada' }, () => app.get(Importer).importAll(rows));
  expect(await titles()).toEqual(['first', 'last']);
  expect(await fileById(dataSource, first)).toMatchObject({ ownerType: 'package' });
  expect(await fileById(dataSource, refused)).toMatchObject({ ...ADA, pinned: false });
});
