import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import type { AssembledFiles } from './files-harness.js';

const DAY = 86_400_000;

/**
 * Sweeps as if days had passed, and holds rows against bytes: neither without the other, and no intent or marker for
 * either.
 */
export async function expectAgreement(world: Omit<AssembledFiles, 'close'>): Promise<void> {
  world.clock.now = Date.now() + 3 * DAY;
  expect(await world.sweeper.sweep()).toMatchObject({ failed: 0 });
  const rows = await world.dataSource.getRepository(ManagedFile).find();
  const expected = rows.map(({ storage, location }) => `${storage} ${location}`).sort();
  const stored: string[] = [];
  for (const name of world.registry.names) {
    for await (const { location } of world.registry.get(name).list()) stored.push(`${name} ${location}`);
  }
  expect(stored.sort()).toEqual(expected);
  for (const { storage, location, hash, size } of rows) {
    const bytes = await buffer(await world.registry.get(storage).read(location));
    expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([size, hash]);
  }
  expect(await world.intents()).toEqual([]);
}
