import { RequestMethod, Version, VERSION_NEUTRAL, VersioningType } from '@nestjs/common';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { describe, expect, it } from 'vitest';
import { FilesAddresses } from '../../../lib/files/files-addresses.js';
import { FilesService } from '../../../lib/files/files.service.js';
import { FilesModule } from '../../../lib/files.module.js';
import type { FilesHttpOptions } from '../../../lib/http/http-options.js';
import { FilesLinks } from '../../../lib/links/files-links.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { Platform } from '../../support/http-app.js';

interface Configuration {
  prepare?: (app: INestApplication) => void;
  imports?: ModuleMetadata['imports'];
  http?: FilesHttpOptions;
}

const uri = (app: INestApplication, defaultVersion?: string | symbol | string[], prefix?: string | false) =>
  app.enableVersioning({
    type: VersioningType.URI,
    ...(defaultVersion !== undefined && { defaultVersion: defaultVersion as string }),
    ...(prefix !== undefined && { prefix }),
  });

const CONFIGURATIONS: Record<string, [Configuration, string]> = {
  'no configuration': [{}, '/files/'],
  'a path of several steps': [{ http: { path: '/some/files/' } }, '/some/files/'],
  'a global prefix': [{ prepare: (app) => void app.setGlobalPrefix('/api/') }, '/api/files/'],
  'URI versions without a default': [{ prepare: (app) => void uri(app) }, '/files/'],
  'URI versions': [{ prepare: (app) => void uri(app, '1') }, '/v1/files/'],
  'several URI versions': [{ prepare: (app) => void uri(app, ['2', '1']) }, '/v2/files/'],
  'neutral URI versions': [{ prepare: (app) => void uri(app, VERSION_NEUTRAL) }, '/files/'],
  'URI versions of another prefix': [{ prepare: (app) => void uri(app, '1', 'version-') }, '/version-1/files/'],
  'URI versions without a prefix': [{ prepare: (app) => void uri(app, '1', false) }, '/1/files/'],
  'URI versions below a global prefix': [
    { prepare: (app) => void uri(app.setGlobalPrefix('api'), '1') },
    '/api/v1/files/',
  ],
  'a version of the routes': [
    { prepare: (app) => void uri(app, '1'), http: { decorators: [Version('3')] } },
    '/v3/files/',
  ],
  'versions in a header': [
    { prepare: (app) => void app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }) },
    '/files/',
  ],
  'a module path': [{ imports: [RouterModule.register([{ path: 'stored', module: FilesModule }])] }, '/stored/files/'],
  'a module path, URI versions and a prefix': [
    {
      imports: [RouterModule.register([{ path: 'a', children: [{ path: ':b', module: FilesModule }] }])],
      prepare: (app) => void uri(app.setGlobalPrefix('api'), '1'),
    },
    '/api/v1/a/:b/files/',
  ],
  'routes without the prefix': [
    { prepare: (app) => void app.setGlobalPrefix('api', { exclude: ['files/*path'] }) },
    '/files/',
  ],
  'routes of one method without the prefix': [
    {
      prepare: (app) =>
        void app.setGlobalPrefix('api', { exclude: [{ path: 'files/*path', method: RequestMethod.GET }] }),
    },
    '/files/',
  ],
  'routes of another method without the prefix': [
    {
      prepare: (app) =>
        void app.setGlobalPrefix('api', { exclude: [{ path: 'files/*path', method: RequestMethod.POST }] }),
    },
    '/api/files/',
  ],
  'versioned routes without the prefix': [
    { prepare: (app) => void uri(app.setGlobalPrefix('api', { exclude: ['files/*path'] }), '1') },
    '/v1/files/',
  ],
};

async function start(platform: Platform, { prepare, imports, http }: Configuration) {
  const app = await startApp({
    platform,
    options: {
      links: { secrets: ['s'.repeat(32)] },
      ...(http && { http }),
    },
    ...(imports && { imports }),
    ...(prepare && { prepare }),
  });
  const { id } = await app.app
    .get(FilesService)
    .create(Buffer.from('hello'), { name: 'a.txt', owner: { type: 'user', id: 'anna' } });
  return { app, id };
}

describe.each(PLATFORMS)('the addresses of the library on %s', (platform) => {
  it.each(Object.entries(CONFIGURATIONS))('lead to its routes with %s', async (_, [configuration, path]) => {
    const { app, id } = await start(platform, configuration);
    const { url = '' } = await app.app.get(FilesLinks).oneTime(id);
    const content = app.app.get(FilesAddresses).contentOf(id) ?? '';
    expect([url.slice(0, path.length), content]).toEqual([path, `${path}${id}/content`]);
    for (const address of [url, content]) {
      const response = await app.fetch(address.replace(':b', 'b'), { user: 'anna' });
      expect([response.status, await response.text()]).toEqual([200, 'hello']);
    }
  });

  it('leave out the prefix for a route that is excluded from it', async () => {
    const { app, id } = await start(platform, {
      prepare: (nest) => void nest.setGlobalPrefix('api', { exclude: ['files/links/:token'] }),
    });
    const { url = '' } = await app.app.get(FilesLinks).temporary(id);
    const content = app.app.get(FilesAddresses).contentOf(id) ?? '';
    expect([url.startsWith('/files/links/'), content.startsWith('/api/files/')]).toEqual([true, true]);
    expect((await app.fetch(url)).status).toBe(200);
    expect((await app.fetch(content, { user: 'anna' })).status).toBe(200);
  });
});

it('has no addresses of routes that are left out', async () => {
  const { app, id } = await start('express', { http: { without: ['link', 'download'] } });
  expect((await app.app.get(FilesLinks).temporary(id)).url).toBeUndefined();
  expect(app.app.get(FilesAddresses).contentOf(id)).toBeUndefined();
});
