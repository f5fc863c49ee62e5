#!/usr/bin/env bash
# @google-cloud/storage breaks every running request of the process when one download is destroyed before its end.
#
# Guess: `createReadStream()` of two objects gives two downloads that have nothing to do with each other: destroying one leaves the other.
# Seen: the connections of both are closed. In 7.22.0 the other stream neither fails nor ends; in 8.4.0 it fails with ECONNRESET. The source destroys
#   the agent of the request, which all requests share, on purpose: for a leak of sockets in node-fetch 2.
# With: @google-cloud/storage 7.22.0 and 8.4.0 (the first argument of this script), Node 20.20.
#
# A server whose clients abort downloads, as browsers do with videos, breaks the downloads and uploads of all others.
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

const SIZE = 64 * 1024 * 1024;
const server = createServer((request, response) => {
  response.writeHead(200, { 'content-length': SIZE, 'content-type': 'application/octet-stream' });
  const send = (sent) => {
    if (sent === SIZE) response.end();
    else response.write(Buffer.alloc(65536), () => send(sent + 65536));
  };
  send(0);
}).listen(0);
await once(server, 'listening');
const apiEndpoint = `http://127.0.0.1:${server.address().port}`;
const bucket = new Storage({ apiEndpoint, projectId: 'p' }).bucket('b');
const [one, other] = ['one', 'other'].map((name) => bucket.file(name).createReadStream({ validation: false }));
one.on('error', () => {});
let got = 0;
other.on('data', (chunk) => (got += chunk.length));
const ended = once(other, 'end').then(() => 'ends', (error) => `fails with ${error.code}`);
await once(one, 'readable');
one.destroy();
const outcome = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10_000, 'neither ends nor fails in 10 s'))]);
console.log(`the other download has ${got} of ${SIZE} bytes, and ${outcome}`);
process.exit(got === SIZE ? 1 : 0);
JS
node finding.mjs
