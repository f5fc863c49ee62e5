import type { CanActivate } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { describe, expect, it } from 'vitest';
import { FileAccessGuard } from '../../../lib/access/file-access.guard.js';
import type { FileIdSource } from '../../../lib/access/file-access.guard.js';
import { FileNotFoundError } from '../../../lib/errors/files.errors.js';
import { accessWith, fileOf } from '../../support/http-access.js';

const ID = '0193b3a0-0000-7000-8000-000000000000';

class Somewhere {
  handle(): void {}
}

/** Asks the guard about a call by Anna, whose file is `ID`; any other id is nobody's. */
async function pass(type: string, args: unknown[], source: FileIdSource<never>, owner = 'user:anna'): Promise<unknown> {
  const context = new ExecutionContextHost(args, Somewhere, Somewhere.prototype.handle);
  context.setType(type);
  const files = {
    findOrFail: async (id: string) => {
      if (id === ID) return fileOf(owner, { id });
      throw new FileNotFoundError(id);
    },
  };
  const actors = { of: async () => ({ type: 'user', id: 'anna' }) };
  const Guard = FileAccessGuard('update', source) as unknown as new (...dependencies: unknown[]) => CanActivate;
  return new Guard(files, await accessWith({}), actors).canActivate(context);
}

const notFound = { code: 'FILES_FILE_NOT_FOUND' };

describe('FileAccessGuard', () => {
  it.each([
    ['http', [{ params: { id: ID } }], 'id'],
    ['http', [{ params: {}, body: { fileId: ID } }], (request: { body: { fileId: string } }) => request.body.fileId],
    ['graphql', [undefined, { id: ID }, {}, {}], 'id'],
    ['graphql', [undefined, { input: { fileId: ID } }], ({ input }: { input: { fileId: string } }) => input.fileId],
    ['ws', [{}, { id: ID }], 'id'],
    ['rpc', [{ id: ID }, {}], 'id'],
  ] as const)('finds the file of a call over %s', async (type, args, source) => {
    expect(await pass(type, [...args], source as FileIdSource<never>)).toBe(true);
    await expect(pass(type, [...args], source as FileIdSource<never>, 'user:ben')).rejects.toMatchObject(notFound);
  });

  it('gives a function the context too', async () => {
    const source = (_: unknown, context: { getClass(): unknown }) => (context.getClass() === Somewhere ? ID : null);
    expect(await pass('http', [{ params: {} }], source as FileIdSource<never>)).toBe(true);
  });

  it.each([undefined, null, 7, '', 'x', {}, [ID], { toString: () => ID }])('is closed to the id %j', async (id) => {
    await expect(pass('http', [{ params: { id } }], 'id')).rejects.toMatchObject(notFound);
    await expect(pass('graphql', [undefined, { id }], 'id')).rejects.toMatchObject(notFound);
    await expect(pass('http', [{ params: {} }], () => id)).rejects.toMatchObject(notFound);
  });

  it.each([undefined, null, 'text', {}])('is closed to a message that is %j', async (data) => {
    await expect(pass('ws', [{}, data], 'id')).rejects.toMatchObject(notFound);
    await expect(pass('rpc', [data], 'toString')).rejects.toMatchObject(notFound);
  });

  it('tells the developer about a parameter that the route does not have', async () => {
    await expect(pass('http', [{ params: { id: ID } }], 'fileId')).rejects.toThrow(
      '@RequireFileAccess() on Somewhere.handle: its route has no parameter "fileId".',
    );
  });
});
