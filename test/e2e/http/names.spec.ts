import { describe, expect, it } from 'vitest';
import { FilesLinks } from '../../../lib/links/files-links.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

/** As macOS sends it. */
const decomposed = 'U\u0308bersicht.txt';
const composed = '\u00dcbersicht.txt';

describe.each(PLATFORMS)('names of files on %s', (platform) => {
  it('are found as people type them, wherever they come from', async () => {
    const app = await startApp({ platform });
    const { id, name } = await uploadFile(app, 'anna', formWith('x', decomposed));
    expect(name).toBe(composed);
    const filters = encodeURIComponent(JSON.stringify({ name: composed }));
    const found = await app.fetch(`/files?filters=${filters}`, { user: 'anna' });
    expect(await found.json()).toMatchObject({ count: 1, results: [{ id }] });
  });

  it.each([
    [composed, 'Ubersicht.txt', '%C3%9Cbersicht.txt'],
    ['\u017dlu\u0165ou\u010dk\u00fd 50%25.txt', '"Zlutoucky 50_25.txt"', '%C5%BDlu%C5%A5ou%C4%8Dk%C3%BD%2050%2525.txt'],
    ['\u65e5\u672c.txt', '__.txt', '%E6%97%A5%E6%9C%AC.txt'],
    ['\ufb01le.txt', 'file.txt', '%EF%AC%81le.txt'],
    ['\ud83d\udcc4.txt', '_.txt', '%F0%9F%93%84.txt'],
  ])('have a readable form in ASCII: %s', async (name, ascii, encoded) => {
    const app = await startApp({ platform, options: { links: { secrets: ['s'.repeat(32)] } } });
    const { id } = await uploadFile(app, 'anna', formWith('x', name));
    const response = await app.fetch(`/files/${id}/content`, { user: 'anna' });
    expect(response.headers.get('content-disposition')).toBe(`inline; filename=${ascii}; filename*=UTF-8''${encoded}`);
    const { url = '' } = await app.app.get(FilesLinks).temporary(id);
    const disposition = (await app.fetch(url)).headers.get('content-disposition');
    expect(disposition).toBe(`attachment; filename=${ascii}; filename*=UTF-8''${encoded}`);
  });
});
