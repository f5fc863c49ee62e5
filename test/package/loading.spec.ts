import { describe, expect, inject, it } from 'vitest';
import { publicNames } from './public-names.js';
import { node } from './support/run.js';

const consumer = inject('consumer');

describe.each([
  ['import', 'by-import.mjs'],
  ['require', 'by-require.cjs'],
])('loaded by %s', (_way, script) => {
  let seen: Record<string, unknown> = {};

  it('runs an application and lets the process end', async () => {
    const { code, stdout, output } = await node([script], consumer);
    expect(code, output).toBe(0);
    seen = JSON.parse(stdout) as Record<string, unknown>;
  });

  it('keeps a file and gives its bytes back', () => {
    expect(seen).toMatchObject({ name: 'note.txt', size: 12, content: 'kept on disk', scratch: 'kept in memory' });
  });

  it('runs the queue of a unit of work with its result', () => {
    expect(seen).toMatchObject({ result: 'done', tasks: [{ value: 'done', idx: 0, first: true }] });
  });

  it('leaves neither a row nor bytes of a unit that failed', () => {
    expect(seen).toMatchObject({ failure: 'changed my mind', names: ['note.txt', 'note.txt', 'unit.txt'], stored: 2 });
  });

  it('refuses a task outside of a unit of work', () => {
    expect(seen).toMatchObject({ outside: 'FILES_TASK_QUEUE_MISSING' });
  });

  it('has the public names, and needs no peer that is optional', () => {
    expect(seen['entries']).toEqual(publicNames);
    expect(seen['testing']).toContain('describeStorage');
  });

  it('is one module, whichever way it is loaded', () => {
    expect(seen).toMatchObject({ same: true });
  });
});
