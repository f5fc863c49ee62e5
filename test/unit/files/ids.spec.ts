import { describe, expect, it } from 'vitest';
import { isFileId, normalizeFileId, uuidV7 } from '../../../lib/files/file-id.js';

describe('uuidV7', () => {
  it('makes valid ids of version 7, each greater than the one before', () => {
    const ids = Array.from({ length: 20_000 }, uuidV7);
    expect(ids.every((id, at) => at === 0 || id > (ids[at - 1] as string))).toBe(true);
    expect(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))).toBe(
      true,
    );
  });

  it('begins with the time', () => {
    const time = Number.parseInt(uuidV7().replaceAll('-', '').slice(0, 12), 16);
    expect(Math.abs(time - Date.now())).toBeLessThan(1000);
  });
});

describe('isFileId', () => {
  it('takes UUIDs in either case and nothing else', () => {
    const id = uuidV7();
    expect([id, id.toUpperCase(), '00000000-0000-0000-0000-000000000000'].every(isFileId)).toBe(true);
    expect(['', 'x', `${id} `, `{${id}}`, id.replaceAll('-', ''), 5, null, undefined, [id]].some(isFileId)).toBe(false);
    expect(normalizeFileId(id.toUpperCase())).toBe(id);
    expect(normalizeFileId('x')).toBeUndefined();
  });
});
