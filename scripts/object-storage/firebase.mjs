// firebase.mjs COMMAND…: runs the command with FILES_TEST_GCS, the address of the storage emulator of firebase-tools.
// Where it is not set, it is installed into a temporary directory, which stays for the next time, and started. If it
// cannot be had, this says what is skipped.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../free-ports.mjs';

const VERSION = '15.34.2';

const say = (line) => process.stdout.write(`${line}\n`);

/** Not among the packages of the project: it brings 600 of its own. */
function install() {
  const directory = join(tmpdir(), `nestjs-files-firebase-tools-${VERSION}`);
  const installed = join(directory, 'node_modules/firebase-tools');
  if (existsSync(join(installed, 'lib/emulator/storage/server.js'))) return installed;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'firebase-for-tests', private: true }));
  const quick = ['--ignore-scripts', '--engine-strict=false', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', ...quick, `firebase-tools@${VERSION}`], { cwd: directory, stdio: 'pipe' });
  return installed;
}

async function start(installed) {
  // It keeps objects in the directory for temporary files, under a name that all of them share.
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-files-firebase-'));
  const port = await freePort();
  const main = fileURLToPath(new URL('firebase-storage.mjs', import.meta.url));
  const server = spawn(process.execPath, [main, installed, String(port)], {
    cwd: directory,
    env: { ...process.env, TMPDIR: directory },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(server, 'exit');
  const stop = async () => {
    server.stdin.end();
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const isReady = await Promise.race([once(server.stdout, 'data').then(() => true), exited.then(() => false)]);
  if (!isReady) {
    rmSync(directory, { recursive: true, force: true });
    throw new Error('it did not start');
  }
  return { url: `http://127.0.0.1:${port}`, stop };
}

const [command, ...args] = process.argv.slice(2);
if (!command) {
  say('Usage: firebase.mjs COMMAND…');
  process.exit(2);
}

const env = { ...process.env };
let emulator;
if (env.FILES_TEST_GCS) say('Google Cloud Storage: the emulator of FILES_TEST_GCS');
else {
  try {
    emulator = await start(install());
    env.FILES_TEST_GCS = emulator.url;
    say(`Google Cloud Storage: the emulator of firebase-tools ${VERSION} runs at ${emulator.url}`);
  } catch (error) {
    const [reason] = String(error.stderr || error.message)
      .trim()
      .split('\n');
    say(`Google Cloud Storage, firebase-tools ${VERSION}: SKIPPED, ${reason}`);
  }
}

const child = spawn(command, args, { env, stdio: 'inherit', shell: process.platform === 'win32' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
process.exitCode = await new Promise((resolve) => {
  child.once('exit', (code, signal) => resolve(signal ? 1 : code));
  child.once('error', (error) => {
    say(String(error));
    resolve(127);
  });
});
await emulator?.stop();
