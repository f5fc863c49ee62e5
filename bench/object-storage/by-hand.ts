import { createHash, randomUUID } from 'node:crypto';
import { Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import pg from 'pg';
import { clientOptions, PART_SIZE, PARTS_AT_ONCE } from './store.js';
import type { Place, Store } from './store.js';

/** The SDK and a table: what is stored is hashed on its way, and nothing is checked or announced. */
export async function byHand({ endpoint, bucket: Bucket, prefix, database }: Place): Promise<Store> {
  const client = new S3Client(clientOptions(endpoint));
  const pool = new pg.Pool({ host: '127.0.0.1', user: 'postgres', database, max: 10 });
  await pool.query(
    'CREATE TABLE IF NOT EXISTS by_hand (id uuid PRIMARY KEY, key text, size bigint, hash text, content_type text)',
  );
  return {
    async add(content) {
      const hash = createHash('sha256');
      let size = 0;
      const hashing = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          size += chunk.length;
          done(null, chunk);
        },
      });
      const id = randomUUID();
      const Key = `${prefix}${id}`;
      const Body = content.pipe(hashing);
      const params = { Bucket, Key, Body };
      await new Upload({ client, params, partSize: PART_SIZE, queueSize: PARTS_AT_ONCE }).done();
      const row = [id, Key, size, hash.digest('hex'), 'application/octet-stream'];
      await pool.query('INSERT INTO by_hand VALUES ($1, $2, $3, $4, $5)', row);
      return id;
    },
    async remove(id) {
      await pool.query('DELETE FROM by_hand WHERE id = $1', [id]);
      await client.send(new DeleteObjectCommand({ Bucket, Key: prefix + id }));
    },
    async read(id, start, end) {
      const { rows } = await pool.query<{ key: string }>('SELECT * FROM by_hand WHERE id = $1', [id]);
      const asked = { Bucket, Key: rows[0]?.key, Range: `bytes=${start}-${end}` };
      return (await client.send(new GetObjectCommand(asked))).Body as Readable;
    },
    async count() {
      let count = 0;
      for (let ContinuationToken: string | undefined; ;) {
        const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken }));
        count += page.Contents?.length ?? 0;
        if (!page.IsTruncated) return count;
        ContinuationToken = page.NextContinuationToken;
      }
    },
    async sweep(names) {
      for (const name of names) await client.send(new DeleteObjectCommand({ Bucket, Key: prefix + name }));
    },
    async close() {
      client.destroy();
      await pool.end();
    },
  };
}
