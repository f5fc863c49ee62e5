import { expect, it } from 'vitest';
import { copyPayload } from '../../../lib/task-queue/job-intake.js';

class Money {
  readonly amount = 1;
}

const circle: { inside?: unknown } = {};
circle.inside = { circle };

it.each([
  ['nothing', undefined, 'payload is undefined', 'Give a text, a number'],
  ['a date', { items: [{ at: new Date(0) }] }, 'payload.items[0].at is of the class Date', 'toISOString()'],
  ['an object of a class', { price: new Money() }, 'payload.price is of the class Money', 'plain object'],
  ['bytes', { bytes: Buffer.from('x') }, 'payload.bytes is of the class Buffer', 'plain object'],
  ['a hole in a list', { list: [1, undefined] }, 'payload.list[1] is undefined', 'null'],
  ['a function', { call: () => 1 }, 'payload.call is a function', 'Give a text'],
  ['a bigint', [1n], 'payload[0] is a bigint', 'Give a text'],
  ['what is no number', { ratio: NaN }, 'payload.ratio is NaN', 'finite'],
  ['a circle', circle, 'payload.inside.circle is an object that it is part of', 'ids'],
  ['NUL', { text: 'a\0b' }, 'payload.text has a character', 'base64'],
  ['half a character', { text: '\ud83d' }, 'payload.text has a character', 'base64'],
  ['a name with NUL', { 'a\0': 1 }, 'payload has a property', 'Rename'],
  ['too much', { text: 'é'.repeat(40_000) }, 'payload has 80011 bytes of JSON', '65536 bytes'],
])('refuses a payload with %s, by its place and with a remedy', (_what, payload, place, remedy) => {
  let refusal: unknown;
  try {
    copyPayload('thumbnail', payload);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({ code: 'FILES_JOB_PAYLOAD_INVALID', job: 'thumbnail' });
  expect(String(refusal)).toContain(place);
  expect(String(refusal)).toContain(remedy);
});

it('accepts a payload of plain values, also if an object is in it twice or a property is undefined', () => {
  const twice = { a: 1 };
  copyPayload('x', { one: twice, other: twice, none: undefined, bare: Object.create(null) as object, text: '😀' });
  copyPayload('x', 'é'.repeat(32_767));
});
