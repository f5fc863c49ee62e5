#!/usr/bin/env bash
# tus-js-client 4.3.1: if the HEAD that asks where to go on is answered with 502, the client begins another upload.
# Guessed: it repeats the HEAD, as it repeats a PATCH that is answered with 502, since `onShouldRetry` takes every 5xx.
# In _resumeUpload, every answer but a 2xx and 423 makes it forget the address and send a POST; `onShouldRetry` is not
# asked. So an upload that a proxy interrupts while the server starts again is sent from its first byte, and the one on
# the server is left behind. See also https://github.com/tus/tus-js-client/issues/579.
# Seen: HEAD 502, POST 201, PATCH 204 for the upload; HEAD 200, PATCH 502, HEAD 200, PATCH 204 where the PATCH gets it.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund tus-js-client@4.3.1 >/dev/null
cat >check.cjs <<'JS'
const { createServer } = require('node:http');
const tus = require('tus-js-client');

/** Goes on with an upload at byte 4 of 8; the first request of this method is answered with 502. */
async function seen(failing) {
  const requests = [];
  let hasFailed = false;
  let offset = 4;
  const server = createServer(async (request, response) => {
    let size = 0;
    for await (const chunk of request) size += chunk.length;
    const answer = (status, headers) => {
      requests.push(`${request.method} ${status}`);
      response.writeHead(status, { 'tus-resumable': '1.0.0', ...headers }).end();
    };
    if (request.method === failing && !hasFailed) {
      hasFailed = true;
      return answer(502, {});
    }
    if (request.method === 'HEAD') return answer(200, { 'upload-offset': offset, 'upload-length': 8 });
    if (request.method === 'POST') {
      offset = 0;
      return answer(201, { location: '/another', 'upload-offset': 0 });
    }
    offset += size;
    answer(204, { 'upload-offset': offset });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${server.address().port}/`;
  await new Promise((resolve, reject) => {
    const options = { endpoint, uploadUrl: `${endpoint}first`, retryDelays: [0, 0, 0], onShouldRetry: () => true };
    new tus.Upload(Buffer.from('12345678'), { ...options, onSuccess: resolve, onError: reject }).start();
  });
  server.close();
  server.closeAllConnections();
  return requests.join(', ');
}

(async () => {
  const ofHead = await seen('HEAD');
  const ofPatch = await seen('PATCH');
  console.log(`HEAD gets the 502: ${ofHead}\nPATCH gets the 502: ${ofPatch}`);
  const isAsSeen =
    ofHead === 'HEAD 502, POST 201, PATCH 204' && ofPatch === 'HEAD 200, PATCH 502, HEAD 200, PATCH 204';
  process.exitCode = isAsSeen ? 0 : 1;
})();
JS
node check.cjs
