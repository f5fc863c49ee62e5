import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { validateOrReject } from 'class-validator';
import { plainToInstance } from 'class-transformer';
import { FilesAccess, WithTaskQueue } from '../../../lib/index.js';
import { describeTransport } from '../../support/describe-transport.js';
import { PackageDto, Packages, SECRET } from '../../support/transport-app.js';

@Injectable()
class Importer {
  constructor(private readonly packages: Packages) {}

  @WithTaskQueue()
  async importOne(dto: PackageDto) {
    await validateOrReject(dto);
    return this.packages.create(dto);
  }
}

await describeTransport('a script in an application context', {
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
});
