import { expect, it } from 'vitest';
import { ERROR_STATUS } from '../../../lib/errors/error-status.js';
import { readPage } from '../../support/doc-pages.js';

const rows = [...readPage('errors.md').matchAll(/^\| `(FILES_\w+)` +\| (\d{3}) +\| ([^|]+?) +\| ([^|]+?) +\|$/gm)];

it('gives every code of the library one line, with its status, and no other', () => {
  const told = rows.map(([, code, status]) => `${code} ${status}`);
  const known = Object.entries(ERROR_STATUS).map(([code, status]) => `${code} ${status}`);

  expect(told.toSorted()).toEqual(known.toSorted());
});

it('says of each why it is thrown and what to do, in sentences', () => {
  const silent = rows.filter(([, , , cause = '', remedy = '']) => !cause.endsWith('.') || !remedy.endsWith('.'));

  expect(silent.map(([, code]) => code)).toEqual([]);
});
