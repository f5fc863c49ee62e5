import type { DynamicModule, INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import type { Request } from 'express';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { onTestFinished } from 'vitest';
import { ByteRemovals } from '../../lib/files/content/byte-removals.js';
import { FilesModule } from '../../lib/files.module.js';
import type { FilesModuleOptions } from '../../lib/files.options.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import { theDatabase } from './databases.js';
import { filesBelow, newDirectory } from './files-directory.js';

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

export interface HttpApp {
  app: INestApplication;
  url: string;
  port: number;
  /** Where the storage `default` keeps its bytes. */
  root: string;
  dataSource: DataSource;
  /** A request of a user, or of nobody. */
  fetch(path: string, init?: RequestInit & { user?: string }): Promise<Response>;
  /** What is left in the storage, once what was given up is removed: relative paths. */
  stored(): Promise<string[]>;
}

interface Setup {
  /** How to connect to its database. @default one of its own */
  database?: DataSourceOptions;
  platform?: Platform;
  options?: Partial<FilesModuleOptions>;
  /** Replaces the module that `options` would make. */
  module?: DynamicModule;
  imports?: ModuleMetadata['imports'];
  controllers?: Type[];
  providers?: ModuleMetadata['providers'];
  adapter?: ExpressAdapter | FastifyAdapter;
  prepare?(app: INestApplication): void | Promise<void>;
  /** Values in place of those of the modules. */
  overrides?: readonly (readonly [token: symbol, value: unknown])[];
}

/** A database for an application: one of its own until the test is over, or the one that is given. */
export function database(name?: string, given?: DataSourceOptions): DynamicModule {
  const useFactory = async () => {
    const { options, drop } = given ? { options: given, drop: undefined } : await (await theDatabase()).create();
    if (drop) onTestFinished(drop);
    // @nestjs/typeorm 11 looks for the name here too, when it shuts down.
    return { synchronize: true, autoLoadEntities: true, ...(name !== undefined && { name }), ...options };
  };
  return TypeOrmModule.forRootAsync({ useFactory, ...(name === undefined ? {} : { name }) });
}

/** Takes the user from the header `x-user`. */
export const byHeader: FilesModuleOptions['actor'] = (context) => {
  const id = context.switchToHttp().getRequest<Request>().headers['x-user'];
  return typeof id === 'string' ? { type: 'user', id } : null;
};

/** Starts an application that listens; it is closed when the test is over. Users upload, `admin` manages. */
export async function startApp(setup: Setup = {}): Promise<HttpApp> {
  const root = newDirectory();
  const module =
    setup.module ??
    FilesModule.forRoot({
      storages: { default: fsStorage({ root }) },
      actor: byHeader,
      isManager: (actor) => actor?.id === 'admin',
      uploads: 'authenticated',
      ...setup.options,
    });
  const builder = Test.createTestingModule({
    imports: [database(setup.options?.dataSource, setup.database), module, ...(setup.imports ?? [])],
    controllers: setup.controllers ?? [],
    providers: setup.providers ?? [],
  });
  for (const [token, value] of setup.overrides ?? []) builder.overrideProvider(token).useValue(value);
  const testing = await builder.compile();
  const adapter = setup.adapter ?? (setup.platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter());
  const app = testing.createNestApplication(adapter, { logger: false });
  onTestFinished(() => {
    // A connection that becomes idle a moment too late would keep the server for as long as clients may reuse it.
    (app.getHttpServer() as Partial<Server>).closeAllConnections?.();
    return app.close();
  });
  await setup.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    app,
    url,
    port,
    root,
    dataSource: app.get(getDataSourceToken(setup.options?.dataSource)),
    fetch: (path, { user, headers, ...init } = {}) =>
      fetch(url + path, { ...init, headers: { ...(user === undefined ? {} : { 'x-user': user }), ...headers } }),
    stored: async () => {
      await app.get(ByteRemovals).idle();
      return filesBelow(root);
    },
  };
}

/** A form with fields and, last, a file. */
export function formWith(
  content: string | Uint8Array<ArrayBuffer>,
  name = 'notes.txt',
  fields: Record<string, string> = {},
): FormData {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append('file', new Blob([content]), name);
  return form;
}

/** Uploads a file as a user and gives what was answered. */
export async function uploadFile(
  app: HttpApp,
  user: string,
  form: FormData,
): Promise<Record<string, unknown> & { id: string }> {
  const response = await app.fetch('/files', { method: 'POST', user, body: form });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown> & { id: string };
}
