import type { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { skipsLocked } from '../../../lib/unit-of-work/typeorm/row-locks.js';

it.each([
  ['postgres', '15.18', true],
  ['mysql', '5.7.44', false],
  ['mysql', '8.4.0', true],
  ['mysql', '9.1.0', true],
  ['mariadb', '10.5.29', false],
  ['mariadb', '10.6.0', true],
  ['mariadb', '11.8.2', true],
  ['mysql', '10.4.3', false],
  ['mysql', undefined, false],
  ['better-sqlite3', undefined, false],
])('knows whether SKIP LOCKED is a word of %s %s: %s', (type, version, expected) => {
  expect(skipsLocked({ options: { type }, driver: { version } } as unknown as DataSource)).toBe(expected);
});
