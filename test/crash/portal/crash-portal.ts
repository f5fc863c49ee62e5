import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Response } from 'express';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { PortalModule } from '../../../sample/portal/portal.module.js';
import type { PortalOptions } from '../../../sample/portal/portal.options.js';
import { ClientModules } from '../../../lib/http/routes/assets-endpoints.js';
import { readSweeperOptions, SWEEPER_OPTIONS } from '../../../lib/files/intents/sweeper-options.js';
import { DraftsModule } from './drafts.module.js';

/**
 * The portal, listening, with drafts beside it. Its sweeper takes what is older than a millisecond, and only when it is
 * asked to. Its answers wait until bytes that were given up are removed, so that each step of that is a point before
 * the answer, too.
 */
export async function startCrashPortal(options: PortalOptions): Promise<{ app: INestApplication; url: string }> {
  // Workers that look for jobs would send statements at any time: processes that die deriving files are tested on their
  // own.
  const portal = PortalModule.forRoot({ ...options, thumbnails: false });
  const module = await Test.createTestingModule({ imports: [portal, DraftsModule] })
    .overrideProvider(SWEEPER_OPTIONS)
    .useValue({ ...readSweeperOptions({ grace: 1 }), isTimed: false })
    // It is compiled into one module, and no browser comes here.
    .overrideProvider(ClientModules)
    .useValue({ find: () => undefined })
    .compile();
  const app = module.createNestApplication({ logger: false });
  app.use((_request: unknown, response: Response, next: () => void) => {
    const end = response.end.bind(response) as (...args: unknown[]) => Response;
    const removals = app.get(ByteRemovals);
    response.end = (...args: unknown[]) => {
      void removals.idle().then(() => end(...args));
      return response;
    };
    next();
  });
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}
