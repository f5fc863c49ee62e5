import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CLIENT_FOLDER } from '../../../lib/http/routes/assets-endpoints.js';
import { builtClient } from '../../support/built-client.js';
import { newDirectory } from '../../support/files-directory.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';

describe.each(PLATFORMS)('http: { assets: true } on %s', (platform) => {
  it('serves the element and every module that it imports', async () => {
    const overrides = [[CLIENT_FOLDER, await builtClient()]] as const;
    const { url, fetch } = await startApp({ platform, overrides, options: { http: { assets: true } } });
    const seen = new Set<string>();
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const answer = await fetch(path);
      expect([path, answer.status]).toEqual([path, 200]);
      expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      expect(answer.headers.get('cache-control')).toBe('public, no-cache');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      for (const [, from = ''] of (await answer.text()).matchAll(/(?:from|import) ['"]([^'"]+)['"]/g))
        await visit(new URL(from, url + path).pathname);
    };
    await visit('/files/assets/field/file-field.js');
    await visit('/files/assets/index.js');
    expect(seen.size).toBeGreaterThan(8);
  });

  it('serves nothing else, and nothing at all without the option', async () => {
    const overrides = [[CLIENT_FOLDER, await builtClient()]] as const;
    const { fetch } = await startApp({ platform, overrides, options: { http: { assets: true } } });
    for (const path of ['none.js', 'field/none.js', '..%2Fpackage.json', 'field/..%2F..%2Fpackage.json', '__proto__'])
      expect([path, (await fetch(`/files/assets/${path}`)).status]).toEqual([path, 404]);
    const without = await startApp({ platform });
    expect((await without.fetch('/files/assets/index.js')).status).toBe(404);
  });
});

it('refuses to start where the modules are not', async () => {
  const overrides = [[CLIENT_FOLDER, pathToFileURL(`${newDirectory()}/`)]] as const;
  const start = startApp({ overrides, options: { http: { assets: true } } });
  await expect(start).rejects.toMatchObject({ code: 'FILES_OPTION_INVALID', option: 'http.assets' });
});
