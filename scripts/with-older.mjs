// Runs a command with the oldest NestJS and TypeORM, and an older driver, that the library supports: node
// scripts/with-older.mjs npx vitest run … It runs in a copy of the repository, whose packages stay for the next time.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDER = {
  '@nestjs/apollo': '13.4.5',
  '@nestjs/cli': '11.0.24',
  '@nestjs/common': '11.2.10',
  '@nestjs/core': '11.2.10',
  '@nestjs/cqrs': '11.0.3',
  '@nestjs/graphql': '13.4.5',
  '@nestjs/mapped-types': '2.1.1',
  '@nestjs/microservices': '11.2.6',
  '@nestjs/platform-express': '11.2.10',
  '@nestjs/platform-fastify': '11.2.8',
  '@nestjs/platform-socket.io': '11.2.6',
  '@nestjs/platform-ws': '11.2.6',
  '@nestjs/schedule': '6.1.3',
  '@nestjs/swagger': '11.4.0',
  '@nestjs/terminus': '11.1.1',
  '@nestjs/testing': '11.2.6',
  '@nestjs/typeorm': '11.0.3',
  '@nestjs/websockets': '11.2.6',
  pg: '8.16.3',
  typeorm: '0.3.31',
};
const NOT_COPIED = new Set(['node_modules', '.git', 'dist', 'var', 'docs/api', 'package.json', 'package-lock.json']);

const repository = fileURLToPath(new URL('..', import.meta.url));
const place = createHash('sha256').update(repository).digest('hex').slice(0, 12);
const copy = join(tmpdir(), `nestjs-files-older-${place}`);

function run(program, args, env = process.env) {
  const { status } = spawnSync(program, args, { cwd: copy, env, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function manifest() {
  const { peerDependencies: _, ...own } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  return JSON.stringify({ ...own, devDependencies: { ...own.devDependencies, ...OLDER } }, null, 2);
}

function copySources() {
  for (const name of readdirSync(copy)) {
    if (!['node_modules', 'package.json'].includes(name)) rmSync(join(copy, name), { recursive: true, force: true });
  }
  const filter = (source) => !NOT_COPIED.has(relative(repository, source));
  cpSync(repository, copy, { recursive: true, filter });
}

/** What differs comes from the registry; the rest, SQLite as it was compiled among it, from the repository. */
function install() {
  const installed = join(copy, 'package.json');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === manifest()) return;
  rmSync(join(copy, 'node_modules'), { recursive: true, force: true });
  run('cp', ['-a', join(repository, 'node_modules'), copy]);
  rmSync(join(copy, 'node_modules/.package-lock.json'), { force: true });
  writeFileSync(installed, manifest());
  const quick = ['--ignore-scripts', '--no-package-lock', '--prefer-offline', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', ['install', '--loglevel=error', ...quick], { cwd: copy, stdio: 'inherit' });
  if (status === 0) return;
  rmSync(installed);
  process.exit(status ?? 1);
}

mkdirSync(copy, { recursive: true });
copySources();
install();
const [program, ...args] = process.argv.slice(2);
// What is packed is the library as it is published, whatever it runs with.
run(program, args, { ...process.env, PACKED_FROM: repository });
