#!/usr/bin/env bash
# Ceph's gateway 16.2.15, asked by @aws-sdk/client-s3 3.1175.0: UploadPartCopy decodes `x-amz-copy-source` twice, CopyObject once.
# Guessed: both take the source percent-encoded once, as the API says.
# Seen: of the objects "100%25.txt" and "100%.txt", CopyObject with the source "<bucket>/100%2525.txt" copies the first one. UploadPartCopy with
# the same source copies the second one, without an error, and answers NoSuchKey where only the first one exists.
# Needs a gateway: S3_ENDPOINT, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Exits non-zero if the behaviour changes.
set -eu
: "${S3_ENDPOINT:?names the gateway}" "${AWS_ACCESS_KEY_ID:?}" "${AWS_SECRET_ACCESS_KEY:?}"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @aws-sdk/client-s3@3.1175.0 >/dev/null
cat >check.mjs <<'JS'
import {
  CompleteMultipartUploadCommand, CopyObjectCommand, CreateBucketCommand, CreateMultipartUploadCommand, DeleteBucketCommand,
  DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client, UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
const client = new S3Client({ endpoint: process.env.S3_ENDPOINT, region: 'us-east-1', forcePathStyle: true });
const Bucket = `finding-${process.pid}`;
const send = (Command, more) => client.send(new Command({ Bucket, ...more }));
const read = async (Key) => (await send(GetObjectCommand, { Key })).Body.transformToString();
const named = '100%25.txt';
const other = '100%.txt';
const CopySource = `${Bucket}/${encodeURIComponent(named)}`;
const copied = async () => {
  await send(CopyObjectCommand, { Key: 'copy', CopySource });
  return read('copy');
};
const joined = async () => {
  const { UploadId } = await send(CreateMultipartUploadCommand, { Key: 'joined' });
  const { CopyPartResult } = await send(UploadPartCopyCommand, { Key: 'joined', UploadId, PartNumber: 1, CopySource });
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult.ETag }] };
  await send(CompleteMultipartUploadCommand, { Key: 'joined', UploadId, MultipartUpload });
  return read('joined');
};
await send(CreateBucketCommand);
await send(PutObjectCommand, { Key: named, Body: 'named' });
const alone = await joined().catch((error) => error.name);
await send(PutObjectCommand, { Key: other, Body: 'other' });
const seen = { copied: await copied(), joined: await joined(), alone };
for (const Key of [named, other, 'copy', 'joined']) await send(DeleteObjectCommand, { Key });
await send(DeleteBucketCommand).catch(() => undefined);
console.log(`CopyObject copied "${seen.copied}"; UploadPartCopy copied "${seen.joined}", and without the other object: ${seen.alone}`);
process.exit(seen.copied === 'named' && seen.joined === 'other' && seen.alone === 'NoSuchKey' ? 0 : 1);
JS
timeout 60 node check.mjs
