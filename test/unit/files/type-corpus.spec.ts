import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import { upload } from '../../../lib/files/content/upload.js';
import { streamOf } from '../../../lib/files/content/open-content.js';
import { filesHarness } from '../../support/files-harness.js';
import { DISGUISED, HONEST, UNKNOWN, WISHED_ACTIVE } from '../../support/type-corpus.js';
import type { Sample } from '../../support/type-corpus.js';

async function typeOf({ name, claim, bytes }: Sample): Promise<{ contentType: string; charset: string | null }> {
  return upload(streamOf(bytes), memoryStorage(), { name, ...(claim && { contentType: claim }) });
}

const told = ({ name, claim, bytes }: Sample) => `${name}, ${claim}: ${bytes.subarray(0, 24).toString('latin1')}`;

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
  it('matches real files, under the names and claims that they come with', async () => {
    expect(await mistaken(HONEST)).toEqual([]);
  });

  it('is active, or an archive, whatever name and claim say', async () => {
    expect(await mistaken(DISGUISED)).toEqual([]);
  });

  it('never becomes active by name or claim', async () => {
    expect(await mistaken(WISHED_ACTIVE)).toEqual([]);
  });

  it('stays unknown where the bytes rule out the claim', async () => {
    expect(await mistaken(UNKNOWN)).toEqual([]);
  });

  it('stays the same when the file is copied, moved or replaced by itself', async () => {
    const { files } = await filesHarness();
    for (const { name, claim, bytes, type, charset } of HONEST) {
      const { id } = await files.create(bytes, { name, ...(claim && { contentType: claim }) });
      const replaced = await files.replace(id, bytes);
      const copied = await files.copy(id, { storage: 'memory', name: 'other.bin' });
      const moved = await files.move(id, 'memory');
      for (const file of [replaced, copied, moved]) {
        expect([name, claim, file.contentType]).toEqual([name, claim, type]);
        if (charset !== undefined) expect(file.charset).toBe(charset);
      }
    }
  });
});
