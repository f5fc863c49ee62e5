// node free-ports.mjs: prints a free port.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

// Below the ports that systems give to clients: one of those can be taken by a connection before the server that it is
// for has started.
const FIRST = 20_000;
const LAST = 32_000;
const ATTEMPTS = 200;

async function isFree(port) {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/**
 * The first of so many ports in a row on which nobody of this machine listens, from 20000 to 32000. Throws where there
 * are none.
 */
export async function freePorts(count) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = FIRST + Math.floor(Math.random() * (LAST - FIRST - count));
    const ports = Array.from({ length: count }, (_, at) => first + at);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
  throw new Error(`${ATTEMPTS} attempts found no ${count} free ports in a row from ${FIRST} to ${LAST}`);
}

export const freePort = () => freePorts(1);

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await freePort()}\n`);
