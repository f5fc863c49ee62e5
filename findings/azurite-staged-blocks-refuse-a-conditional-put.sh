#!/usr/bin/env bash
# Azurite 3.37.0 refuses a Put Blob with `If-None-Match: *` where blocks were staged and never committed, though no blob is there.
#
# Guess: a location that holds only staged blocks has no blob: Get Properties answers 404, and so both ways to make one under the condition that
#   none is there succeed, whichever a client takes.
# Seen: Put Blob with the condition is refused with 409 BlobAlreadyExists. Put Block List with the same condition, at a location in the same state,
#   succeeds. Without the condition Put Blob succeeds, too.
# With: azurite 3.37.0, @azure/storage-blob 12.32.0, Node 20.20.
#
# A client that was interrupted while it staged blocks, and comes again with a small content in one request, is told that the blob exists, and
# finds none. Whoever needs one rule writes small contents as a list of one block as well.
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
const conditions = { ifNoneMatch: '*' };
const ways = {
  'put blob': (blob) => blob.upload('y', 1, { conditions }),
  'put block list': (blob) => blob.commitBlockList([id], { conditions }),
  'put blob without the condition': (blob) => blob.upload('y', 1),
};
for (const [name, write] of Object.entries(ways)) {
  const blob = container.getBlockBlobClient(name.replaceAll(' ', '-'));
  await blob.stageBlock(id, 'x', 1);
  const exists = await blob.exists();
  const answer = await write(blob).then(
    () => 'done',
    (error) => `${error.statusCode} ${error.code}`,
  );
  console.log(`${name}: there before: ${exists}, ${answer}`);
}
azurite.kill();
process.exit(0);
JS
seen=$(node finding.mjs)
echo "azurite 3.37.0, @azure/storage-blob 12.32.0, Node $(node --version)"
echo "$seen"
expected='put blob: there before: false, 409 BlobAlreadyExists
put block list: there before: false, done
put blob without the condition: there before: false, done'
[ "$seen" = "$expected" ] || { echo 'This has changed.'; exit 1; }
