#!/usr/bin/env bash
# bullmq 6.7.0, ioredis 5.11.1: `queue.disconnect()` disconnects the ioredis client that the application passed as `connection`, also for others who use it; `queue.close()` leaves it open.
# Expected: both leave a client alone that BullMQ has not made: it is the application's, and other queues and commands use it.
# Seen: after close() of one queue the client answers PONG; after disconnect() of another one every command of the client rejects with "Connection is closed.", and the client does not connect again.
# Needs a Redis server: REDIS_URL, or redis://127.0.0.1:6379. Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund bullmq@6.7.0 ioredis@5.11.1 >/dev/null
cat >check.cjs <<'JS'
const { Queue } = require('bullmq');
const Redis = require('ioredis');
const { setTimeout: delay } = require('node:timers/promises');
(async () => {
  const client = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', { maxRetriesPerRequest: null });
  const prefix = `finding_${process.pid}`;
  const ping = () => client.ping().catch((error) => `rejected: ${error.message}`);
  const [closed, disconnected] = ['one', 'two'].map((name) => new Queue(name, { connection: client, prefix }));
  await Promise.all([closed.waitUntilReady(), disconnected.waitUntilReady()]);
  await closed.close();
  const afterClose = await ping();
  await disconnected.disconnect();
  const afterDisconnect = await ping();
  await delay(3000);
  const later = await ping();
  console.log(`after close(): ${afterClose}; after disconnect(): ${afterDisconnect}; 3 s later: ${later}`);
  await disconnected.close().catch(() => undefined);
  client.disconnect();
  const isSo = afterClose === 'PONG' && [afterDisconnect, later].every((one) => one === 'rejected: Connection is closed.');
  process.exit(isSo ? 0 : 1);
})();
JS
timeout 60 node check.cjs
