import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { LocatedObject } from '../storage-adapter.js';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo } from './s3-fault.js';

/** All objects below the directory, or below the prefix: placeholders and the storage's own, too. */
export async function* objectsBelow(
  { client, name: Bucket, prefix }: S3Bucket,
  directory?: string,
): AsyncGenerator<LocatedObject, void> {
  const Prefix = directory === undefined ? prefix : `${prefix}${directory}/`;
  for (let ContinuationToken: string | undefined; ;) {
    const asked = new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken, EncodingType: 'url' });
    const page = await answerTo(client.send(asked));
    for (const { Key = '', Size: size = 0, LastModified: modifiedAt = new Date(0) } of page.Contents ?? [])
      yield { location: decodeURIComponent(Key.replaceAll('+', ' ')).slice(prefix.length), size, modifiedAt };
    if (!page.IsTruncated) return;
    ContinuationToken = page.NextContinuationToken;
  }
}
