#!/usr/bin/env bash
# @nestjs/microservices 12.1.1 with rxjs 7.8.2: a handler of an event that fails, or emits nothing, ends the other handlers of the event.
# Guessed: the handlers of one event are independent. Each runs to its end, whatever becomes of the others.
# Seen: they are joined by `forkJoin()`. If one fails, or completes without a value, the Observables of the others are unsubscribed from, so that the rest
# of their work is not done, and nothing is logged of them. With two handlers that emit, both run to their ends.
# Exits non-zero if the behaviour changes.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @nestjs/microservices@12.1.1 @nestjs/common@12.5.1 @nestjs/core@12.5.1 reflect-metadata@0.2.2 rxjs@7.8.2 >/dev/null
cat >check.mjs <<'JS'
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, Transport } from '@nestjs/microservices';
import { EMPTY, Observable, of, throwError } from 'rxjs';

const options = { host: '127.0.0.1', port: 45871 };
const outcomes = {};

/** Work that is done when `finish()` is called, unless it is unsubscribed from before. */
function work(told) {
  return new Observable((subscriber) => {
    const finish = setTimeout(() => {
      told('done');
      subscriber.next();
      subscriber.complete();
    }, 200);
    return () => {
      clearTimeout(finish);
      told('ended');
    };
  });
}

function handle(Class, event, run) {
  Class.prototype[event] = run;
  const descriptor = Object.getOwnPropertyDescriptor(Class.prototype, event);
  EventPattern(event)(Class.prototype, event, descriptor);
}

class One {}
class Two {}
const waiting = [];
for (const [event, other] of Object.entries({
  'emits a value': () => of(1),
  'emits nothing': () => EMPTY,
  fails: () => throwError(() => new Error('failed')),
})) {
  waiting.push(
    new Promise((resolve) => {
      const told = (what) => {
        outcomes[event] ??= what;
        resolve();
      };
      handle(One, event, () => work(told));
    }),
  );
  handle(Two, event, other);
}
Controller()(One);
Controller()(Two);
class AppModule {}
Module({ controllers: [One, Two] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, { transport: Transport.TCP, options, logger: false });
await app.listen();
const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
await client.connect();
for (const event of ['emits a value', 'emits nothing', 'fails']) client.emit(event, {});
await Promise.all(waiting);
await client.close();
await app.close();
console.log('the first handler, where the second one …', outcomes);
const { 'emits a value': value, 'emits nothing': nothing, fails } = outcomes;
process.exitCode = [value, nothing, fails].join() === 'done,ended,ended' ? 0 : 1;
JS
node check.mjs
