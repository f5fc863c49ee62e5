#!/usr/bin/env bash
# @google-cloud/storage sends the condition and the metadata of `File.copy()` with the first request of a rewrite only.
#
# Guess: `copy(to, { preconditionOpts: { ifGenerationMatch: 0 }, metadata })` never overwrites, and gives the copy the metadata, in however many requests
#   the service does it.
# Seen: when the service answers with a rewriteToken, the next request has the token, no condition and no metadata.
# With: @google-cloud/storage 7.22.0 and 8.4.0 (the first argument of this script), Node 20.20.
#
# The reference of the service does not say that a token keeps the condition. Where it does not, a copy of a large object to another location or
# class overwrites an object that was made meanwhile. `bucket.request()` in a loop sends both each time.
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

const asked = [];
const server = createServer((request, response) => {
  request.resume().once('end', () => {
    asked.push(request.url.split('?')[1]);
    const answer = asked.length < 2 ? { done: false, rewriteToken: 't' } : { done: true, resource: {} };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
}).listen(0);
await once(server, 'listening');
const apiEndpoint = `http://127.0.0.1:${server.address().port}`;
const file = new Storage({ apiEndpoint, projectId: 'p' }).bucket('b').file('from');
await file.copy('to', { preconditionOpts: { ifGenerationMatch: 0 } });
console.log(asked);
process.exit(asked[1].includes('ifGenerationMatch') ? 1 : 0);
JS
node finding.mjs
