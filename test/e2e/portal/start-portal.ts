import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { PortalModule } from '../../../sample/portal/portal.module.js';
import type { PortalOptions } from '../../../sample/portal/portal.options.js';
import { CLIENT_FOLDER } from '../../../lib/http/routes/assets-endpoints.js';
import { builtClient } from '../../support/built-client.js';
import { theDatabase } from '../../support/databases.js';
import { DEMO_ACCOUNTS } from '../../../sample/portal/users/demo-accounts.js';
import { PortalClient } from './portal-client.js';

export const PLATFORMS = ['express', 'fastify'] as const;

export type Platform = (typeof PLATFORMS)[number];

export interface Portal {
  app: INestApplication;
  url: string;
  visitor: PortalClient;
  alice: PortalClient;
  bob: PortalClient;
  /** A manager. */
  mary: PortalClient;
  close(): Promise<void>;
}

/** The portal, listening, with a database and a storage of its own, and the people of the story. */
export async function startPortal(platform: Platform, options: PortalOptions = {}): Promise<Portal> {
  const own = options.database ? undefined : await (await theDatabase()).create();
  const building = Test.createTestingModule({
    imports: [
      PortalModule.forRoot({
        ...(own ? { database: own.options } : {}),
        storage: memoryStorage({ maxSize: '20MiB' }),
        ...options,
      }),
    ],
  });
  const module = await building
    .overrideProvider(CLIENT_FOLDER)
    .useValue(await builtClient())
    .compile();
  const app = module.createNestApplication(platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(), {
    logger: false,
  });
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  const visitor = new PortalClient(url);
  const [alice, bob, mary] = await Promise.all(
    DEMO_ACCOUNTS.map(({ name, password }) => visitor.logIn(name, password)),
  );
  const close = async () => {
    await app.close();
    await own?.drop();
  };
  return { app, url, visitor, alice: alice!, bob: bob!, mary: mary!, close };
}
