import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError, ValidationFailedError } from '../../../lib/errors/files.errors.js';
import type { FilesError } from '../../../lib/errors/files-error.js';
import { TaskQueueMissingError, TaskFailedError } from '../../../lib/errors/units.errors.js';
import { ERROR_STATUS } from '../../../lib/errors/error-status.js';
import * as library from '../../../lib/entry/errors.js';

const ERRORS = new URL('../../../lib/errors/', import.meta.url);

async function errorClasses(): Promise<unknown[]> {
  const files = (await readdir(ERRORS)).toSorted().filter((file) => file.endsWith('.errors.ts'));
  const modules = files.map(async (file) => (await import(new URL(file, ERRORS).href)) as Record<string, unknown>);
  return (await Promise.all(modules)).flatMap((exports) => Object.values(exports));
}

/** A code is an instance's: with this every constructor has something to work with. */
function codeOf(errorClass: unknown): string {
  return (Reflect.construct(errorClass as new () => FilesError, [['a'], ['b'], [], []]) as FilesError).code;
}

describe('the statuses', () => {
  it('cover every error of the library, and nothing else', async () => {
    const known = (await errorClasses()).map(codeOf);
    expect(known.length).toBeGreaterThan(30);
    expect(Object.keys(ERROR_STATUS).toSorted()).toEqual([...new Set(known)].toSorted());
  });

  it('have codes that read as the names of their classes', async () => {
    const words = (name: string): string =>
      name
        .replace(/Error$/, '')
        .replace(/(?<!^)([A-Z])/g, '_$1')
        .toUpperCase();
    const named = (await errorClasses()).map((one) => `FILES_${words((one as { name: string }).name)}`);
    expect((await errorClasses()).map(codeOf)).toEqual(named.map((code) => code.replace('FILES_FILES_', 'FILES_')));
  });

  it('belong to errors that applications can import', async () => {
    const exported = new Set<unknown>(Object.values(library));
    expect((await errorClasses()).filter((errorClass) => !exported.has(errorClass))).toEqual([]);
  });

  it('come with the message where the client is at fault', () => {
    const error = new FileNotFoundError('7');
    expect([error.getStatus(), error.getResponse()]).toEqual([
      404,
      {
        statusCode: 404,
        code: 'FILES_FILE_NOT_FOUND',
        message: 'There is no file with the id "7".',
        error: 'Not Found',
      },
    ]);
  });

  it('come without the message where the server is at fault', () => {
    const error = new TaskQueueMissingError();
    expect(error.getResponse()).toEqual({
      statusCode: 500,
      code: 'FILES_TASK_QUEUE_MISSING',
      message: 'Internal Server Error',
      error: 'Internal Server Error',
    });
    expect(error.message).not.toBe('Internal Server Error');
  });

  it('look like those of the ValidationPipe for a problem that is found late', () => {
    expect(new ValidationFailedError(['fileId is pinned']).getResponse()).toEqual({
      statusCode: 400,
      code: 'FILES_VALIDATION_FAILED',
      message: ['fileId is pinned'],
      error: 'Bad Request',
    });
  });

  it('can be read by filters that look at fields, like the driver of GraphQL', () => {
    const error: object = new FileNotFoundError('7');
    expect(error).toMatchObject({ status: 404, response: { code: 'FILES_FILE_NOT_FOUND' } });
    expect(Object.keys(error)).not.toContain('response');
  });

  it.each([
    ['nothing', [], false],
    ['undefined', [undefined], true],
    ['zero', [0], true],
    ['an error', [new Error('x')], true],
  ])('leave the cause as it was given: %s', (_, cause, isThere) => {
    const error = cause.length === 0 ? new TaskQueueMissingError() : new TaskFailedError('x', 1, 1, ...cause);
    expect([Object.hasOwn(error, 'cause'), error.cause]).toEqual([isThere, cause[0]]);
  });
});
