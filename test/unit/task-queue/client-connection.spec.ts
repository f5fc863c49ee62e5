import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { describe, expect, it } from 'vitest';
import { isClientGone } from '../../../lib/task-queue/task-queue.interceptor.js';

function call(type: string, ...args: unknown[]): ExecutionContextHost {
  const context = new ExecutionContextHost(args);
  context.setType(type);
  return context;
}

const closed = { socket: { destroyed: true } };
const open = { socket: { destroyed: false } };

describe('the client of a call', () => {
  it.each([
    ['HTTP, closed', call('http', closed), true],
    ['HTTP, open', call('http', open), false],
    ['HTTP on Fastify, whose request is around that of Node', call('http', { raw: closed, socket: undefined }), true],
    ['HTTP on Fastify, open', call('http', { raw: open, ...closed }), false],
    ['HTTP without a socket', call('http', {}), false],
    ['a call without a request', call('http'), false],
    ['GraphQL, closed', call('graphql', {}, {}, { req: closed }, {}), true],
    ['GraphQL, open', call('graphql', closed, closed, { req: open }, closed), false],
    ['GraphQL with a context of its own', call('graphql', {}, {}, {}), false],
    ['GraphQL without a context', call('graphql', {}, {}), false],
    ['socket.io, gone', call('ws', { connected: false }), true],
    ['socket.io, there', call('ws', { connected: true }), false],
    ['ws, closing', call('ws', { readyState: 2 }), true],
    ['ws, open', call('ws', { readyState: 1 }), false],
    ['a socket that tells nothing', call('ws', {}), false],
    ['gRPC, cancelled', call('rpc', {}, {}, { cancelled: true }), true],
    ['gRPC, open', call('rpc', {}, {}, { cancelled: false }), false],
    ['a message', call('rpc', { connected: false, ...closed }, { req: closed }, { req: closed }), false],
  ])('is recognised as gone or connected: %s', (_, context, isGone) => {
    expect(isClientGone(context)).toBe(isGone);
  });
});
