#!/usr/bin/env bash
# @google-cloud/storage fails an upload in chunks that is complete, when the answer to its last chunk is lost.
#
# Guess: after a lost answer the client asks for the status of the session; 200 means that the object is made, and the stream finishes.
# Seen: the client is answered 200, takes that for an offset of 0, and fails: RangeError, "The offset is lower than the number of bytes written …
#   Initiate a new upload to continue". The object is there.
# With: @google-cloud/storage 7.22.0 and 8.4.0 (the first argument of this script), Node 20.20.
#
# Whoever uploads again with `ifGenerationMatch: 0`, as the message says, is refused with 412 by the own object. An id in the metadata tells.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >package.json <<'JSON'
{ "name": "finding", "private": true, "type": "module" }
JSON
npm install --silent --no-audit --no-fund --ignore-scripts --engine-strict=false @google-cloud/storage@"${1:-7.22.0}" >/dev/null 2>&1
cat >finding.mjs <<'JS'
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Storage } from '@google-cloud/storage';

let [size, isDone, isLost] = [0, false, false];
const server = createServer((request, response) => {
  const range = request.headers['content-range'];
  let length = 0;
  request.on('data', (chunk) => (length += chunk.length));
  request.once('end', () => {
    if (request.method === 'POST') return response.writeHead(200, { location: `${apiEndpoint}/upload?upload_id=1` }).end();
    if (!isDone && range !== 'bytes */*') [size, isDone] = [size + length, !range.endsWith('/*')];
    if (!isDone) return response.writeHead(308, { range: `bytes=0-${size - 1}` }).end();
    if (!isLost) return (isLost = true) && request.socket.destroy();
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ name: 'x', size: String(size) }));
  });
}).listen(0);
await once(server, 'listening');
const apiEndpoint = `http://127.0.0.1:${server.address().port}`;
const file = new Storage({ apiEndpoint, projectId: 'p' }).bucket('b').file('x');
const options = { chunkSize: 262_144, preconditionOpts: { ifGenerationMatch: 0 }, validation: false };
const upload = file.createWriteStream(options);
upload.end(Buffer.alloc(300_000));
const outcome = await once(upload, 'finish').then(() => 'finishes', (error) => `fails: ${error.name}, ${error.message}`);
console.log(`the server has ${size} of 300000 bytes, and the upload ${outcome}`);
process.exit(outcome === 'finishes' ? 1 : 0);
JS
node finding.mjs
