import { randomBytes } from 'node:crypto';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { compileModule } from './compiled-module.js';
import { filesBelow, newDirectory } from './files-directory.js';
import { tusOf } from './tus-app.js';

const BYTES = randomBytes(12_000_000);
// Two processes start, and the lease of the first one has to end.
const TIMEOUT = 60_000;

/** A process that can be killed, with the same database and directory as those before it. */
async function startProcess(script: string, database: string, root: string) {
  const child = fork(script, [database, root]);
  const [url] = (await once(child, 'message')) as [string];
  const ended = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  const fetchHere = (path: string, { user: _, ...init }: RequestInit & { user?: string } = {}) =>
    fetch(url + path, init);
  return { ...tusOf({ fetch: fetchHere }), kill };
}

/**
 * Kills a process that takes an upload, at these of six moments: before the first bytes (1), between some, and while the last ones become a file
 * (6).
 */
export function describeTusCrashes(moments: readonly number[]): void {
  describe('a process that is killed while it takes an upload', () => {
    let script = '';
    beforeAll(async () => {
      script = await compileModule(
        fileURLToPath(new URL('../e2e/tus/machine.child.ts', import.meta.url)),
        newDirectory(),
      );
    });

    it.each([...moments])(
      'leaves an offset that is true, byte for byte, and a client goes on there (%i)',
      { timeout: TIMEOUT },
      async (at) => {
        const [database, root] = [join(newDirectory(), 'files.sqlite'), newDirectory()];
        let process = await startProcess(script, database, root);
        const { path, id } = await process.create({ 'Upload-Length': BYTES.length });
        const sent = process.patch(path, 0, BYTES).catch(() => undefined);
        // At another moment each time: before the first bytes, between some, and while the last ones become a file.
        const reached = (at - 1) * 2_400_000;
        await expect
          .poll(async () => (await process.offset(path).catch(() => -1)) >= reached, { interval: 1, timeout: 30_000 })
          .toBe(true);
        await process.kill();
        await sent;
        process = await startProcess(script, database, root);
        const kept = await process.offset(path);
        expect(kept).toBeGreaterThanOrEqual(reached);
        const [found = ''] = await filesBelow(root);
        if (found !== '') expect((await readFile(join(root, found))).equals(BYTES.subarray(0, kept))).toBe(true);
        const rest = BYTES.subarray(kept);
        const go = async () => (await process.patch(path, kept, rest)).status;
        // 423 as long as the lease of the dead process lasts.
        await expect.poll(go, { timeout: 20_000, interval: 500 }).toBe(204);
        expect((await process.content(id)).equals(BYTES)).toBe(true);
        expect(await filesBelow(root)).toHaveLength(1);
        expect((await process.send('HEAD', path)).headers.get('file-id')).toBe(id);
      },
    );
  });
}
