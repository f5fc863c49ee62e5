import type { Readable } from 'node:stream';

/** Files in a bucket, with a row for each: by hand, or by the library. */
export interface Store {
  /** Stores the content, whose length nobody knows, with its hash; gives what `read` takes. */
  add(content: Readable): Promise<string>;
  /** Removes what was added. */
  remove(id: string): Promise<void>;
  /** The bytes from `start` to `end`, the last one included. */
  read(id: string, start: number, end: number): Promise<Readable>;
  /** How many objects a list of the bucket has. */
  count(): Promise<number>;
  /** Removes so many objects that were given up and not removed; their names are those of `plant`. */
  sweep(names: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Where the contestants work: each below a prefix of its own. */
export interface Place {
  endpoint: string;
  bucket: string;
  prefix: string;
  /** The name of a database on PostgreSQL. */
  database: string;
}

/** Of both: the default of the library. */
export const PART_SIZE = 8 * 1024 * 1024;
export const PARTS_AT_ONCE = 2;

/** How to reach the server, as scripts/object-storage/with-s3.mjs has started it. */
export function clientOptions(endpoint: string) {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId = 'nestjs-files',
    AWS_SECRET_ACCESS_KEY: secretAccessKey = 'nestjs-files-secret',
    AWS_REGION: region = 'us-east-1',
  } = process.env;
  const checksums = {
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
  return { endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey }, ...checksums };
}
