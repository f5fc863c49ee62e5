import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { storeContent } from '../../../lib/files/content/store-content.js';
import { streamOf } from '../../../lib/files/content/open-content.js';
import { filesHarness } from '../../support/files-harness.js';
import { DISGUISED, HONEST, UNKNOWN, WISHED_ACTIVE } from '../../support/type-corpus.js';
import type { Sample } from '../../support/type-corpus.js';

async function typeOf({ name, declared, bytes }: Sample): Promise<{ contentType: string; charset: string | null }> {
  return storeContent(streamOf(bytes), memoryStorage(), { name, ...(declared && { contentType: declared }) });
}

const told = ({ name, declared, bytes }: Sample) => `${name}, ${declared}: ${bytes.subarray(0, 24).toString('latin1')}`;

/** The samples that are taken for something else. */
async function mistaken(samples: readonly Sample[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const sample of samples) {
    const { contentType, charset } = await typeOf(sample);
    if (contentType !== sample.type) wrong.push(`${told(sample)} → ${contentType}`);
    else if (sample.charset !== undefined && charset !== sample.charset) wrong.push(`${told(sample)} → ${charset}`);
  }
  return wrong;
}

describe('the type of an upload', () => {
  it('matches real files, under the names and types that they come with', async () => {
    expect(await mistaken(HONEST)).toEqual([]);
  });

  it('is active, or an archive, whatever name and declared type say', async () => {
    expect(await mistaken(DISGUISED)).toEqual([]);
  });

  it('never becomes active by name or declared type', async () => {
    expect(await mistaken(WISHED_ACTIVE)).toEqual([]);
  });

  it('stays unknown where the bytes rule out the declared type', async () => {
    expect(await mistaken(UNKNOWN)).toEqual([]);
  });

  it('stays the same when the file is copied, moved or replaced by itself', async () => {
    const { files } = await filesHarness();
    for (const { name, declared, bytes, type, charset } of HONEST) {
      const { id } = await files.create(bytes, { name, ...(declared && { contentType: declared }) });
      const replaced = await files.replace(id, bytes);
      const copied = await files.copy(id, { storage: 'memory', name: 'other.bin' });
      const moved = await files.move(id, 'memory');
      for (const file of [replaced, copied, moved]) {
        expect([name, declared, file.contentType]).toEqual([name, declared, type]);
        if (charset !== undefined) expect(file.charset).toBe(charset);
      }
    }
  });
});
