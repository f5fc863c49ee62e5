import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError } from '../../../lib/errors/file-not-found.error.js';
import type { FilesError } from '../../../lib/errors/files-error.js';
import { FileValidationError } from '../../../lib/errors/file-validation.error.js';
import { OutOfQueueError } from '../../../lib/errors/out-of-queue.error.js';
import { ERROR_STATUS } from '../../../lib/http/error-status.js';
import { toHttpException } from '../../../lib/http/to-http-exception.js';

const ERRORS = new URL('../../../lib/errors/', import.meta.url);

async function codes(): Promise<string[]> {
  const files = (await readdir(ERRORS)).filter((file) => file.endsWith('.error.ts'));
  const classes = await Promise.all(
    files.map(async (file) => Object.values((await import(new URL(file, ERRORS).href)) as Record<string, unknown>)),
  );
  // A code is an instance's: with too many arguments every constructor gets something to work with.
  return classes.flat().map((Class) => (Reflect.construct(Class as never, [['a'], ['b'], [], []]) as FilesError).code);
}

describe('the statuses', () => {
  it('cover every error of the library, and nothing else', async () => {
    const known = await codes();
    expect(known.length).toBeGreaterThan(30);
    expect(Object.keys(ERROR_STATUS).toSorted()).toEqual([...new Set(known)].toSorted());
  });

  it('come with the message where the client is at fault', () => {
    expect(toHttpException(new FileNotFoundError('7')).getResponse()).toEqual({
      statusCode: 404,
      code: 'FILES_FILE_NOT_FOUND',
      message: 'There is no file with the id "7".',
      error: 'Not Found',
    });
  });

  it('come without it where the server is', () => {
    const error = new OutOfQueueError();
    const exception = toHttpException(error);
    expect(exception.getResponse()).toEqual({
      statusCode: 500,
      code: 'FILES_OUT_OF_QUEUE',
      message: 'Internal Server Error',
      error: 'Internal Server Error',
    });
    expect(exception.cause).toBe(error);
  });

  it('look like those of the ValidationPipe for what is found out late', () => {
    const exception = toHttpException(new FileValidationError(['fileId is pinned']));
    expect(exception.getResponse()).toEqual({ message: ['fileId is pinned'], error: 'Bad Request', statusCode: 400 });
  });
});
