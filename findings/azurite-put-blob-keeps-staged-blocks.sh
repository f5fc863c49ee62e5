#!/usr/bin/env bash
# Azurite 3.37.0 keeps the staged blocks of a blob when the blob is written in one request.
#
# Guess: Put Blob discards all uncommitted blocks of the blob, as the reference of the service says under Put Block List
#   (https://learn.microsoft.com/rest/api/storageservices/put-block-list, remarks).
# Seen: after Put Blob the list of uncommitted blocks still has the block, and a later Put Block List makes the blob of it. After the blob was
#   deleted, the block is gone.
# With: azurite 3.37.0, @azure/storage-blob 12.32.0, Node 20.20.
#
# A clean-up that writes an empty blob to drop what a client has staged cannot be tested with this emulator, unless it deletes the blob as well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >package.json <<'JSON'
{ "name": "finding", "private": true, "type": "module" }
JSON
npm install --silent --no-audit --no-fund --ignore-scripts --engine-strict=false @azure/storage-blob@12.32.0 azurite@3.37.0 >/dev/null 2>&1
cat >finding.mjs <<'JS'
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';

const free = createServer().listen(0, '127.0.0.1');
await once(free, 'listening');
const { port } = free.address();
free.close();
await once(free, 'close');
const main = 'node_modules/azurite/dist/src/blob/main.js';
const azurite = spawn(process.execPath, [main, '--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', 'data', '--silent', '--disableTelemetry', '--skipApiVersionCheck'], { stdio: 'ignore' });
for (let tries = 0; tries < 100; tries++) {
  const socket = connect(port, '127.0.0.1');
  const isUp = await new Promise((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
  socket.destroy();
  if (isUp) break;
  await delay(100);
}

// The account and the key that every Azurite has, by its documentation.
const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const credential = new StorageSharedKeyCredential('devstoreaccount1', key);
const container = new ContainerClient(`http://127.0.0.1:${port}/devstoreaccount1/finding`, credential);
await container.create();
const id = Buffer.from('block-0001').toString('base64');
const staged = async (blob) => ((await blob.getBlockList('uncommitted')).uncommittedBlocks ?? []).length;

const blob = container.getBlockBlobClient('written');
await blob.stageBlock(id, 'staged', 6);
await blob.upload('', 0);
console.log(`after Put Blob: ${await staged(blob)} staged`);
const committed = await blob.commitBlockList([id]).then(() => 'done', ({ statusCode, code }) => `${statusCode} ${code}`);
console.log(`Put Block List of it: ${committed}, ${(await blob.getProperties()).contentLength} bytes`);

const deleted = container.getBlockBlobClient('deleted');
await deleted.stageBlock(id, 'staged', 6);
await deleted.upload('', 0);
await deleted.delete();
const left = await staged(deleted).then(String, ({ statusCode }) => String(statusCode));
console.log(`after Put Blob and Delete Blob: ${left}`);
azurite.kill();
process.exit(0);
JS
seen=$(node finding.mjs)
echo "azurite 3.37.0, @azure/storage-blob 12.32.0, Node $(node --version)"
echo "$seen"
expected='after Put Blob: 1 staged
Put Block List of it: done, 6 bytes
after Put Blob and Delete Blob: 404'
[ "$seen" = "$expected" ] || { echo 'This has changed.'; exit 1; }
