#!/usr/bin/env bash
# @nestjs/typeorm 12.0.1 with NestJS 12.5.1: after a boot that failed, the next application of the process is warned of a second data source.
# Guessed: the name of a data source is free again when its application has failed to boot, because nothing of it is left.
# Seen: `forRoot()` registers the name when the module is defined, and only the shutdown of a module that was made frees it. An application whose data
# source cannot connect leaves the name. The next one logs "A data source with the default name is already
# registered", although its data source is the only one. After the shutdown of an application that booted, the next one logs nothing.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @nestjs/typeorm@12.0.1 @nestjs/common@12.5.1 @nestjs/core@12.5.1 typeorm@1.1.1 better-sqlite3@12.11.1 \
  reflect-metadata@0.2.2 rxjs@7.8.2 >/dev/null
cat >check.mjs <<'JS'
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';

const warned = [];
const quiet = () => undefined;
const logger = { log: quiet, error: quiet, debug: quiet, verbose: quiet, warn: (message) => warned.push(String(message)) };

async function boot(database) {
  warned.length = 0;
  class AppModule {}
  const source = { type: 'better-sqlite3', database, retryAttempts: 0 };
  const module = { module: AppModule, imports: [TypeOrmModule.forRoot(source)] };
  const app = await NestFactory.createApplicationContext(module, { logger, abortOnError: false }).catch(() => undefined);
  const isWarned = warned.some((message) => message.includes('default name is already registered'));
  await app?.close();
  return `${app ? 'booted' : 'failed'}${isWarned ? ', warned' : ''}`;
}

const outcomes = [];
for (const database of [':memory:', ':memory:', '/dev/null/missing.sqlite', ':memory:']) outcomes.push(await boot(database));
console.log(outcomes);
process.exitCode = outcomes.join('; ') === 'booted; booted; failed; booted, warned' ? 0 : 1;
JS
node check.mjs
