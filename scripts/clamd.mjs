// clamd.mjs COMMAND…: runs the command with a clamd of its own, where it is installed; its address is in CLAMD_HOST and
// CLAMD_PORT.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-ports.mjs';

/** A harmless text, which the clamd of the tests, and no other, takes for infected. */
export const SIGNED_TEXT = 'nestjs-files takes this harmless sentence of its own tests for a virus: 5b7c09e4';

const NAMES = ['/usr/sbin/clamd', '/usr/local/sbin/clamd', '/opt/homebrew/sbin/clamd', '/usr/bin/clamd'];
const PATIENCE = 30_000;

/** Where clamd is installed; undefined where it is not. */
export const findClamd = () => NAMES.find((path) => existsSync(path));

/**
 * Starts a clamd that knows one signature, that of `SIGNED_TEXT`, on a free port and a socket, with further lines for
 * its configuration.
 */
export async function startClamd(lines = []) {
  const path = findClamd();
  if (!path) throw new Error(`clamd is none of ${NAMES.join(', ')}`);
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-files-clamd-'));
  const port = await freePort();
  const socket = join(directory, 'clamd.sock');
  writeFileSync(join(directory, 'own.ndb'), `NestjsFiles.Test:0:*:${Buffer.from(SIGNED_TEXT).toString('hex')}\n`);
  const settings = [
    'Foreground yes',
    'TCPAddr 127.0.0.1',
    `TCPSocket ${port}`,
    `LocalSocket ${socket}`,
    `DatabaseDirectory ${directory}`,
    `TemporaryDirectory ${directory}`,
    'StreamMaxLength 1M',
    ...lines,
  ];
  const configuration = join(directory, 'clamd.conf');
  writeFileSync(configuration, `${settings.join('\n')}\n`);
  const server = spawn(path, [`--config-file=${configuration}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const output of [server.stdout, server.stderr]) output.on('data', (text) => (said = (said + text).slice(-4000)));
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  for (const end = Date.now() + PATIENCE; !(await answers(port));) {
    if (server.exitCode === null && Date.now() < end) await delay(50);
    else {
      await stop();
      throw new Error(`clamd did not start: ${said}`);
    }
  }
  return { host: '127.0.0.1', port, socket, stop };
}

async function answers(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function main([command, ...args]) {
  if (!command) {
    process.stdout.write('Usage: clamd.mjs COMMAND…\n');
    return 2;
  }
  if (!findClamd()) process.stdout.write('clamd: not installed\n');
  const clamd = findClamd() && (await startClamd());
  const env = { ...process.env, ...(clamd && { CLAMD_HOST: clamd.host, CLAMD_PORT: String(clamd.port) }) };
  try {
    const child = spawn(command, args, { env, stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    return code ?? 1;
  } finally {
    await clamd?.stop();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
