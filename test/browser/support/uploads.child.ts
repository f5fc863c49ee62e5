import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FilesModule } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';

/** A server of uploads in a process of its own, which a test may kill. It ends with whoever started it. */
process.on('disconnect', () => process.exit());

export interface UploadsChildOptions {
  port: number;
  database: string;
  root: string;
  /** A file with the page. */
  page: string;
}

const { port, database, root, page } = JSON.parse(process.argv[2]!) as UploadsChildOptions;

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database, synchronize: true, autoLoadEntities: true }),
    FilesModule.forRoot({
      storages: { default: fsStorage({ root, maxSize: Infinity }) },
      actor: () => ({ type: 'user', id: 'ada' }),
      uploads: 'authenticated',
    }),
  ],
})
class UploadsModule {}

const app = await NestFactory.create(UploadsModule, { logger: ['error'] });
const routes = app.getHttpAdapter() as unknown as {
  get(
    path: string,
    handler: (request: unknown, response: { type(type: string): { send(body: string): void } }) => void,
  ): void;
};
routes.get('/page', (_, response) => response.type('text/html').send(readFileSync(page, 'utf8')));
await app.listen(port, '127.0.0.1');
process.send!('listening');
