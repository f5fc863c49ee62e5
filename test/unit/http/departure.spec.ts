import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { watchDeparture } from '../../../lib/http/download/departure.js';

// Platforms of functions make responses without a server, whose connections are only a part of one.
it('sends a response whose connection has no timer', () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const connection = new PassThrough();
  response.assignSocket(connection as unknown as Socket);
  watchDeparture(response, 1_000);
  response.end('hello');
  expect(String(connection.read())).toMatch(/\r\n\r\nhello$/);
});
