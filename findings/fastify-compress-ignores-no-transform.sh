#!/usr/bin/env bash
# @fastify/compress 9.2.0 with Fastify 5.12.8: a response with `Cache-Control: no-transform` is compressed all the same.
# Guessed: it is sent as it is, as RFC 9111, 5.2.2.6 wants it (https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2.6), and as Express'
# compression 1.8.1 does. Fastify's plugin looks at `x-no-compression` of the request, which clients would have to send.
# Seen: `Content-Encoding: gzip` for the same text with and without the directive; compression sends the second as it is.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund fastify@5.12.8 @fastify/compress@9.2.0 express@5.1.0 compression@1.8.1 >/dev/null
cat >check.cjs <<'JS'
const text = 'no-transform '.repeat(500);
async function encodings(url) {
  const seen = [];
  for (const path of ['/usual', '/kept']) {
    const response = await fetch(url + path, { headers: { 'accept-encoding': 'gzip' } });
    await response.text();
    seen.push(`${path} ${response.headers.get('content-encoding') ?? 'identity'}`);
  }
  return seen.join(', ');
}
(async () => {
  const fastify = require('fastify')();
  await fastify.register(require('@fastify/compress'));
  fastify.get('/usual', (_, reply) => reply.type('text/plain').send(text));
  fastify.get('/kept', (_, reply) => reply.type('text/plain').header('cache-control', 'no-transform').send(text));
  const onFastify = await encodings(await fastify.listen({ port: 0, host: '127.0.0.1' }));
  await fastify.close();

  const app = require('express')();
  app.use(require('compression')());
  app.get('/usual', (_, response) => response.type('text/plain').send(text));
  app.get('/kept', (_, response) => response.type('text/plain').set('cache-control', 'no-transform').send(text));
  const server = await new Promise((resolve) => { const one = app.listen(0, '127.0.0.1', () => resolve(one)); });
  const onExpress = await encodings(`http://127.0.0.1:${server.address().port}`);
  server.close();
  server.closeAllConnections();

  console.log(`fastify: ${onFastify}\nexpress: ${onExpress}`);
  process.exitCode = onFastify === '/usual gzip, /kept gzip' && onExpress === '/usual gzip, /kept identity' ? 0 : 1;
})();
JS
node check.cjs
