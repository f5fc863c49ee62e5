import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Controller, Get, Module, Param, Put, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Request, Response } from 'express';
import send from 'send';
import { FilesModule } from '../../lib/index.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import { reportPort } from '../support/child.js';

const [, , name = '', root = ''] = process.argv;

/** The same by hand: an upload is a pipeline, a download is what `send` makes of it. */
@Controller('by-hand')
class ByHandController {
  @Put(':name')
  async upload(@Param('name') file: string, @Req() request: Request): Promise<object> {
    const hash = createHash('sha256');
    const hashing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(request, hashing, createWriteStream(join(root, file)));
    const { size } = await stat(join(root, file));
    return { size, hash: hash.digest('hex') };
  }

  @Get(':name')
  download(@Param('name') file: string, @Req() request: Request, @Res() response: Response): void {
    send(request, file, { root }).pipe(response);
  }
}

@Module({ controllers: [ByHandController] })
class ByHandModule {}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: ':memory:', synchronize: true, autoLoadEntities: true }),
    FilesModule.forRoot({
      storages: { default: fsStorage({ root, maxSize: Infinity }) },
      actor: () => ({ type: 'user', id: 'ada' }),
      uploads: 'authenticated',
      sweeper: false,
    }),
  ],
})
class OursModule {}

const adapter = name.endsWith('fastify') ? new FastifyAdapter() : new ExpressAdapter();
const app = await NestFactory.create(name.startsWith('nestjs-files') ? OursModule : ByHandModule, adapter, {
  logger: ['error'],
});
process.on('message', () => process.send?.({ peak: process.resourceUsage().maxRSS / 1024 }));
await reportPort(app);
