#!/usr/bin/env bash
# @azure/storage-blob 12.32.0 does not read on after a connection that breaks in the middle of a download, whatever `maxRetryRequests` says.
#
# Guess: `blob.download(0, undefined, { maxRetryRequests: 5 })` asks for the rest when "the original body download stream ends unexpectedly",
#   as the option's comment has it, so that a reader gets all bytes although the connection was cut once.
# Seen: the stream fails with AbortError, and no second request is sent: the response's event `aborted` destroys the stream before the SDK comes
#   to ask again.
# With: @azure/storage-blob 12.32.0, azurite 3.37.0, Node 20.20. The connection is cut by a TCP proxy, once, after 300 KB of 4 MiB.
#
# Whoever needs the bytes all the same asks for the range that is missing, with the etag as the condition.
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

const listening = async (server) => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
};
const free = createServer();
const blobPort = await listening(free);
free.close();
await once(free, 'close');
const main = 'node_modules/azurite/dist/src/blob/main.js';
const azurite = spawn(process.execPath, [main, '--blobHost', '127.0.0.1', '--blobPort', String(blobPort), '--location', 'data', '--silent', '--disableTelemetry', '--skipApiVersionCheck'], { stdio: 'ignore' });

// Cuts the first download after 300 KB, and nothing else.
let isArmed = false;
let downloads = 0;
const proxy = createServer((client) => {
  const upstream = connect(blobPort, '127.0.0.1');
  let sent = 0;
  client.on('data', (chunk) => {
    if (String(chunk).startsWith('GET ')) downloads++;
    upstream.write(chunk);
  });
  upstream.on('data', (chunk) => {
    client.write(chunk);
    sent += chunk.length;
    if (isArmed && sent > 300_000) {
      isArmed = false;
      client.destroy();
      upstream.destroy();
    }
  });
  for (const socket of [client, upstream]) socket.on('error', () => {});
  client.on('close', () => upstream.destroy());
  upstream.on('close', () => client.destroy());
});
const port = await listening(proxy);
for (let tries = 0; tries < 100; tries++) {
  const socket = connect(blobPort, '127.0.0.1');
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
const blob = container.getBlockBlobClient('large');
const content = Buffer.alloc(4 * 1024 * 1024, 'nestjs ');
await blob.upload(content, content.length);

isArmed = true;
downloads = 0;
let bytes = 0;
let failure = 'none';
try {
  const { readableStreamBody } = await blob.download(0, undefined, { maxRetryRequests: 5 });
  for await (const chunk of readableStreamBody) bytes += chunk.length;
} catch (error) {
  failure = error.name;
}
console.log(`bytes: ${bytes < content.length ? 'a part' : 'all'}, failure: ${failure}, requests: ${downloads}`);
azurite.kill();
proxy.close();
process.exit(0);
JS
seen=$(node finding.mjs)
echo "@azure/storage-blob 12.32.0, azurite 3.37.0, Node $(node --version)"
echo "$seen"
[ "$seen" = 'bytes: a part, failure: AbortError, requests: 1' ] || { echo 'This has changed.'; exit 1; }
