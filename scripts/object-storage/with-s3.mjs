// with-s3.mjs COMMAND…: runs the command with an S3 server: the one at S3_ENDPOINT, else Ceph's, which is started where
// it is installed and stopped afterwards; CEPH_CONF then names its configuration. Where there is neither, it says so
// and runs nothing.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../free-ports.mjs';

const CEPH = fileURLToPath(new URL('ceph.sh', import.meta.url));
const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'curl'];
const PORTS_OF_CEPH = 22;

const say = (line) => process.stdout.write(`${line}\n`);

function isInstalled(program) {
  try {
    execFileSync('bash', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function startCeph() {
  const first = await freePorts(PORTS_OF_CEPH + 1);
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-files-ceph-'));
  const stop = () => execFileSync(CEPH, ['stop', directory], { stdio: 'inherit' });
  try {
    const args = ['start', directory, String(first), String(first + 1)];
    const endpoint = execFileSync(CEPH, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
    return { endpoint, configuration: join(directory, 'ceph.conf'), stop };
  } catch (error) {
    stop();
    throw error;
  }
}

async function run(command, args, env) {
  const child = spawn(command, args, { env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? 1 : code));
    child.once('error', (error) => {
      say(String(error));
      resolve(127);
    });
  });
}

const [command, ...args] = process.argv.slice(2);
const given = process.env.S3_ENDPOINT;
const missing = PROGRAMS.filter((program) => !isInstalled(program));
if (!command) {
  say('Usage: with-s3.mjs COMMAND…');
  process.exitCode = 2;
} else if (given) {
  say(`S3: runs, S3_ENDPOINT is ${given}`);
  process.exitCode = await run(command, args, process.env);
} else if (missing.length > 0) {
  say(`S3: SKIPPED, S3_ENDPOINT is not set, and Ceph is not installed: ${missing.join(', ')} not found`);
} else {
  const { endpoint, configuration, stop } = await startCeph();
  say(`S3: runs, a private Ceph at ${endpoint}`);
  try {
    process.exitCode = await run(command, args, { ...process.env, S3_ENDPOINT: endpoint, CEPH_CONF: configuration });
  } finally {
    stop();
  }
}
