import type { INestApplication } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { linkStorage } from 'nestjs-files/storage/link';
import { directStorage } from '../../support/direct-storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { FilesModuleOptions } from 'nestjs-files';

function options(): Partial<FilesModuleOptions> {
  return {
    storages: {
      default: fsStorage({ root: newDirectory(), maxSize: '1MiB', acceptedTypes: ['image', 'text/csv'] }),
      large: directStorage({ maxSize: Infinity }).storage,
      links: linkStorage({ domains: ['*.example.org'] }),
    },
    uploads: { storages: ['large'] },
  };
}

describe.each(PLATFORMS)('GET /files/capabilities on %s', (platform) => {
  it('tells each actor the storages that would take an upload, with their limits', async () => {
    const { fetch } = await startApp({ platform, options: options() });
    const small = {
      name: 'default',
      maxSize: 1_048_576,
      acceptedTypes: ['image', 'text/csv'],
      direct: false,
      resumable: true,
    };
    const large = { name: 'large', maxSize: null, acceptedTypes: null, direct: true, resumable: false };
    const of = async (user?: string) => {
      const answer = await fetch('/files/capabilities', user === undefined ? {} : { user });
      return [answer.status, await answer.json()] as const;
    };
    expect(await of('admin')).toEqual([200, { storages: [small, large], defaultStorage: 'default', tus: 'tus' }]);
    expect(await of('ada')).toEqual([200, { storages: [large], defaultStorage: 'default', tus: 'tus' }]);
    expect(await of()).toEqual([200, { storages: [], defaultStorage: 'default', tus: 'tus' }]);
  });

  it('may be kept for a minute, by the browser of the actor only', async () => {
    const { fetch } = await startApp({ platform, options: options() });
    const { headers } = await fetch('/files/capabilities', { user: 'ada' });
    expect(headers.get('cache-control')).toBe('private, max-age=60');
    expect(headers.get('vary')?.toLowerCase()).toContain('authorization, cookie');
  });

  it('leaves the Vary of CORS as it is, and adds its own', async () => {
    const prepare = (app: INestApplication) => app.enableCors({ origin: ['https://a.example', 'https://b.example'] });
    const { fetch } = await startApp({ platform, options: options(), prepare });
    const headers = { origin: 'https://a.example' };
    const answer = await fetch('/files/capabilities', { user: 'ada', headers });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://a.example');
    const vary = (answer.headers.get('vary') ?? '').toLowerCase().split(/\s*,\s*/);
    expect(vary).toEqual(expect.arrayContaining(['origin', 'authorization', 'cookie']));
  });

  it('offers no direct uploads where their routes are left out, and may be left out itself', async () => {
    const without = await startApp({ platform, options: { ...options(), http: { without: ['directUploads'] } } });
    const answer = await without.fetch('/files/capabilities', { user: 'ada' });
    expect(await answer.json()).toMatchObject({ storages: [{ name: 'large', direct: false }] });
    const elsewhere = await startApp({ platform, options: { ...options(), http: { tusPath: 'sent/here' } } });
    const moved = await elsewhere.fetch('/files/capabilities', { user: 'admin' });
    expect(await moved.json()).toMatchObject({ tus: '../sent/here' });
    const withoutTus = await startApp({ platform, options: { ...options(), http: { without: ['tus'] } } });
    const plain = await withoutTus.fetch('/files/capabilities', { user: 'admin' });
    expect(await plain.json()).toMatchObject({ tus: null, storages: [{ resumable: false }, { resumable: false }] });
    const none = await startApp({ platform, options: { ...options(), http: { without: ['capabilities'] } } });
    expect((await none.fetch('/files/capabilities', { user: 'ada' })).status).toBe(404);
  });
});
