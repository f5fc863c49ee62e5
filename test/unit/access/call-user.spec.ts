import { Logger } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { callUser } from '../../../lib/access/call-user.js';
import type { Actor } from '../../../lib/actor/actor.js';

function actorOf(type: string, args: unknown[]): Actor | null {
  const context = new ExecutionContextHost(args);
  context.setType(type);
  return callUser(context);
}

const user = { id: 7 };

describe('callUser', () => {
  it.each([
    ['an HTTP request', 'http', [{ user }]],
    ['the request of a GraphQL context', 'graphql', [null, {}, { req: { user } }]],
    ['a GraphQL context', 'graphql', [null, {}, { user }]],
    ['the connection of a GraphQL subscription', 'graphql', [null, {}, { req: { extra: { user } } }]],
    ['the context of a message', 'rpc', [{}, { user }]],
    ['a client of ws', 'ws', [{ user }, {}]],
    ['the data of a client of socket.io', 'ws', [{ data: { user } }, {}]],
    ['its handshake', 'ws', [{ data: {}, handshake: { user } }, {}]],
    ['its request', 'ws', [{ data: {}, request: { user } }, {}]],
  ])('finds who was left on %s', (_, type, args) => {
    expect(actorOf(type, args)).toEqual({ type: 'user', id: '7' });
  });

  it.each([
    ['an HTTP body', 'http', [{ body: { user }, query: { user }, headers: { user } }]],
    ['arguments of a resolver', 'graphql', [{ user }, { user }, { req: {} }, { user }]],
    ['parameters of a subscription', 'graphql', [null, {}, { req: { connectionParams: { user } } }]],
    ['the data of a message', 'rpc', [{ user }, {}]],
    ['what a socket sent', 'ws', [{ handshake: { auth: { user }, query: { user } } }, { user }]],
    ['another transport', 'telegraph', [{ user }, { user }, { user }]],
  ])('ignores %s', (_, type, args) => {
    expect(actorOf(type, args)).toBeNull();
  });

  it.each([
    ['http', [{}]],
    ['http', [{ user: null }]],
    ['http', [{ user: { name: 'without an id' } }]],
    ['graphql', [null, {}]],
    ['graphql', [null, {}, { req: undefined }]],
    ['rpc', [{}, undefined]],
    ['ws', [{}, undefined]],
  ])('finds no user over %s where none was left: %j', (type, args) => {
    expect(actorOf(type, args)).toBeNull();
  });

  it('takes the id 0 for an id', () => {
    expect(actorOf('http', [{ user: { id: 0 } }])).toEqual({ type: 'user', id: '0' });
  });

  it.each([[''], [Number.NaN], [{}], [['7']], [true]])('takes %j for no user', (id) => {
    expect(actorOf('http', [{ user: { id } }])).toBeNull();
  });

  it('warns once of users without an id, and tells none of their values', async () => {
    vi.resetModules();
    const { callUser: fresh } = await import('../../../lib/access/call-user.js');
    const warned: unknown[] = [];
    const log = vi.spyOn(Logger.prototype, 'warn').mockImplementation((message) => void warned.push(message));
    onTestFinished(() => log.mockRestore());
    for (const request of [{}, { user: { id: 7 } }, { user: { sub: 'secret', email: 'e' } }, { user: { sub: '8' } }]) {
      const context = new ExecutionContextHost([request]);
      context.setType('http');
      fresh(context);
    }
    expect(warned).toEqual([expect.stringContaining('{ sub, email }')]);
    expect(warned[0]).toContain('option "actor"');
    expect(warned[0]).not.toContain('secret');
  });
});
