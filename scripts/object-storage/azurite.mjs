// azurite.mjs COMMAND…: runs the command with FILES_TEST_AZURE, the connection string of a server. Where it is not set,
// Azurite is installed into a temporary directory, which stays for the next time, and started; and once more with
// HTTPS, without which it takes no tokens, at FILES_TEST_AZURE_TOKENS. What cannot be had is missing from the
// environment, and this says what is skipped for it.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../free-ports.mjs';

const VERSION = '3.37.0';
// Of the account that every Azurite has, as its documentation says.
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

const say = (line) => process.stdout.write(`${line}\n`);

/**
 * Not among the packages of the project: it brings 300 of its own. It says that it needs Node 22, and runs on Node 20.
 */
function install() {
  const directory = join(tmpdir(), `nestjs-files-azurite-${VERSION}`);
  const main = join(directory, 'node_modules/azurite/dist/src/blob/main.js');
  if (existsSync(main)) return { directory, main };
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name: 'azurite-for-tests', private: true }));
  const quick = ['--ignore-scripts', '--engine-strict=false', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', ...quick, `azurite@${VERSION}`], { cwd: directory, stdio: 'pipe' });
  return { directory, main };
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function start(main, options = []) {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-files-azurite-'));
  const port = await freePort();
  const listen = ['--blobHost', '127.0.0.1', '--blobPort', String(port)];
  // The newest SDK asks for a newer version of the API than this Azurite names; with that, too, the tests pass.
  const usual = ['--silent', '--disableTelemetry', '--skipApiVersionCheck'];
  const args = [main, ...listen, '--location', directory, ...usual, ...options];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const stop = async () => {
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit');
      server.kill();
      await exited;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 300 && server.exitCode === null; tries++) {
    if (await answers(port)) return { host: `127.0.0.1:${port}`, stop };
    await delay(100);
  }
  await stop();
  throw new Error('it did not start');
}

/** For this machine's own address; whoever is told of it trusts it. */
function certify(directory) {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'pipe',
  });
  return { key, certificate };
}

const [command, ...args] = process.argv.slice(2);
if (!command) {
  say('Usage: azurite.mjs COMMAND…');
  process.exit(2);
}

const env = { ...process.env };
const running = [];
const skipped = (what, error) =>
  say(
    `${what}: SKIPPED, ${
      String(error.stderr || error.message)
        .trim()
        .split('\n')[0]
    }`,
  );

async function startWithKey({ main }) {
  const azurite = await start(main);
  running.push(azurite);
  const endpoint = `http://${azurite.host}/devstoreaccount1`;
  env.FILES_TEST_AZURE = `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=${KEY};BlobEndpoint=${endpoint};`;
  say(`Azure Blob Storage: Azurite ${VERSION} runs on ${azurite.host}`);
}

async function startWithTokens({ directory, main }) {
  const { key, certificate } = certify(directory);
  const azurite = await start(main, ['--oauth', 'basic', '--cert', certificate, '--key', key]);
  running.push(azurite);
  env.FILES_TEST_AZURE_TOKENS = `https://${azurite.host}/devstoreaccount1`;
  env.NODE_EXTRA_CA_CERTS = certificate;
  say(`Azure Blob Storage with tokens: Azurite ${VERSION} runs on ${azurite.host}`);
}

if (env.FILES_TEST_AZURE) say('Azure Blob Storage: the server of FILES_TEST_AZURE');
else {
  try {
    const installed = install();
    await startWithKey(installed);
    await startWithTokens(installed).catch((error) => skipped('Azure Blob Storage with tokens', error));
  } catch (error) {
    skipped(`Azure Blob Storage, Azurite ${VERSION}`, error);
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
for (const azurite of running) await azurite.stop();
