#!/usr/bin/env bash
# @google-cloud/storage 7.22.0 leaves a download open for ever when its connection breaks in the middle.
#
# Guess: a stream of `createReadStream()` whose connection breaks before Content-Length fails with an error, or goes on by a range.
# Seen: in 7.22.0 it neither fails nor ends. In 8.4.0 it fails with ECONNRESET.
# With: @google-cloud/storage 7.22.0, which has node-fetch 2.7 by teeny-request 9, Node 20.20. Not with 8.4.0 (the first argument of this script).
#
# A request that waits for the stream hangs until its own timeout. Version 7 is the newest one that Node 20 can have.
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

const server = createServer((request, response) => {
  response.writeHead(200, { 'content-length': 1_000_000, 'content-type': 'application/octet-stream' });
  response.write(Buffer.alloc(500_000), () => setTimeout(() => response.socket.destroy(), 100));
}).listen(0);
await once(server, 'listening');
const apiEndpoint = `http://127.0.0.1:${server.address().port}`;
const content = new Storage({ apiEndpoint, projectId: 'p' }).bucket('b').file('x').createReadStream({ validation: false });
content.resume();
const ended = once(content, 'end').then(() => 'ends', (error) => `fails with ${error.code}`);
const waited = new Promise((resolve) => setTimeout(resolve, 15_000, 'neither ends nor fails in 15 s'));
const outcome = await Promise.race([ended, waited]);
console.log(`the download ${outcome}`);
process.exit(outcome.startsWith('neither') ? 0 : 1);
JS
node finding.mjs
