import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Controller, Get, Module, Param, Post, Res, UploadedFile, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, FileInterceptor } from '@nestjs/platform-express';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Response } from 'express';
import { diskStorage } from 'multer';
import pg from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { FilesModule } from '../../lib/index.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import { reportPort } from '../support/child.js';
import { Package } from '../support/files-table.js';
import { FILES_ENTITIES } from '../../lib/entry/entities.js';

const [, , name = '', root = '', given = '{}'] = process.argv;
const database = JSON.parse(given) as DataSourceOptions & { host: string; username: string; database: string };

const pool = new pg.Pool({ host: database.host, user: database.username, database: database.database, max: 10 });

interface Row {
  path: string;
  name: string;
  content_type: string;
}

/**
 * What is left out costs nothing: the content is not hashed, its type is the client's word, and nobody owns the file.
 */
@Controller('files')
class ByHandController {
  @Post()
  @UseInterceptors(FileInterceptor('file', { storage: diskStorage({ destination: root, filename: newName }) }))
  async upload(@UploadedFile() file: Express.Multer.File): Promise<object> {
    const id = randomUUID();
    await pool.query({
      name: 'insert',
      text: 'INSERT INTO by_hand VALUES ($1, $2, $3, $4, $5)',
      values: [id, file.path, file.originalname, file.mimetype, file.size],
    });
    return { id, size: file.size };
  }

  @Get(':id/content')
  async download(@Param('id') id: string, @Res() response: Response): Promise<void> {
    const text = 'SELECT path, name, content_type FROM by_hand WHERE id = $1';
    const { rows } = await pool.query<Row>({ name: 'select', text, values: [id] });
    const [file] = rows;
    if (!file) return void response.sendStatus(404);
    const headers = { 'content-type': file.content_type, 'cache-control': 'private, no-cache' };
    response.attachment(file.name).sendFile(file.path, { headers });
  }
}

function newName(_request: unknown, _file: unknown, done: (error: null, name: string) => void): void {
  done(null, randomUUID());
}

@Module({ controllers: [ByHandController] })
class ByHandModule {}

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...database, entities: [...FILES_ENTITIES, Package] }),
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: join(root, 'files'), fsync: name !== 'nestjs-files, not synced' }) },
      actor: () => ({ type: 'user', id: 'ada' }),
      uploads: 'authenticated',
      sweeper: false,
    }),
  ],
})
class OursModule {}

const isByHand = name === 'by hand';
if (isByHand)
  await pool.query(
    'CREATE TABLE IF NOT EXISTS by_hand (id uuid PRIMARY KEY, path text, name text, content_type text, size bigint)',
  );
const app = await NestFactory.create(isByHand ? ByHandModule : OursModule, new ExpressAdapter(), { logger: ['error'] });
await reportPort(app);
