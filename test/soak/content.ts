import { createHash } from 'node:crypto';
import { Random } from './random.js';

/** What a file holds, without the bytes. */
export interface Content {
  /** Where in the pool of bytes it begins. */
  readonly at: number;
  readonly size: number;
  readonly sha256: string;
}

const SPREAD = 64 * 1024;
const LARGEST = 512 * 1024;

const random = new Random(1);
// Letters, so that whatever the size is, it is found to be text.
const pool = Buffer.from(Array.from({ length: SPREAD + LARGEST }, () => random.between(97, 122)));

/** Most are of some kilobytes, few of some hundreds. */
export function newContent(by: Random): Content {
  const largest = by.weighted([
    [8 * 1024, 80],
    [64 * 1024, 18],
    [LARGEST, 2],
  ]);
  const [at, size] = [by.between(0, SPREAD - 1), by.between(1, largest)];
  return { at, size, sha256: createHash('sha256').update(bytesOf({ at, size })).digest('hex') };
}

export function bytesOf({ at, size }: Pick<Content, 'at' | 'size'>): Buffer {
  return pool.subarray(at, at + size);
}
