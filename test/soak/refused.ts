import { randomUUID } from 'node:crypto';
import { form, part } from '../support/http-raw.js';
import type { ClientView } from './client-view.js';
import { newContent } from './content.js';
import type { SoakRequest } from './request.js';
import { formOf, json } from './wire.js';
import type { Message } from './wire.js';

/** Requests that nobody could do: an answer of success is wrong. */
export function badInput(client: ClientView): SoakRequest {
  const { random } = client;
  const [id = randomUUID()] = client.file() ?? [];
  const [shelf = randomUUID()] = client.shelf() ?? [];
  const content = newContent(random);
  const missing = randomUUID();
  const message = random.pick<Message>([
    { method: 'GET', path: '/files/none' },
    { method: 'GET', path: `/files/${missing}/content` },
    { method: 'GET', path: '/files?filters={' },
    { method: 'GET', path: '/files?filters=%7B%22location%22%3A%22a%22%7D' },
    { method: 'GET', path: `/files/${id}/content`, headers: { range: 'bytes=99999999-' } },
    { method: 'POST', path: '/files', ...json({}) },
    { method: 'POST', path: '/files', ...truncated() },
    { method: 'POST', path: '/files', ...formOf({}, [{ field: 'other', name: 'bad.txt', content }]) },
    { method: 'POST', path: '/shelves/filled', ...formOf({}, [{ field: 'label', name: 'bad.txt', content }]) },
    { method: 'POST', path: '/shelves', ...json({ label: '' }) },
    { method: 'PATCH', path: '/shelves/none', ...json({ coverId: id }) },
    { method: 'PATCH', path: `/shelves/${shelf}`, ...json({ coverId: missing }) },
    { method: 'PATCH', path: `/shelves/${shelf}`, ...json({ scanId: 7 }) },
    { method: 'PATCH', path: `/files/${id}`, ...json({ name: '' }) },
    { method: 'POST', path: `/files/${id}/transfer`, ...json({ ownerType: 'shelf', ownerId: missing }) },
    { method: 'PUT', path: `/files/${id}/content`, headers: { 'content-type': 'image/png' }, body: Buffer.from('a') },
  ]);
  return {
    kind: 'bad input',
    message,
    check: ({ status }) => `${message.method} ${message.path} was answered ${status}`,
  };
}

/** A form that ends within a file. */
function truncated(): Pick<Message, 'headers' | 'body'> {
  const { headers } = formOf({}, []);
  const whole = form(part('name="file"; filename="bad.txt"', 'a'.repeat(2000)));
  return { ...(headers && { headers }), body: Buffer.from(whole.slice(0, 1000)) };
}
