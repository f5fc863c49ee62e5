import { BadRequestException, Catch, HttpException, Logger } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { firstValueFrom, isObservable } from 'rxjs';
import { QueryFailedError } from 'typeorm';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { FileNotFoundError, ValidationFailedError } from '../../../lib/errors/files.errors.js';
import { FilesError } from '../../../lib/errors/files-error.js';
import { TaskQueueMissingError } from '../../../lib/errors/units.errors.js';
import { FilesErrorFilter } from '../../../lib/http/answers/files-error.filter.js';
import { Contention, noteContention } from '../../../lib/unit-of-work/transaction/contention.js';

class Recording implements ExceptionFilter {
  caught: unknown[] = [];
  catch(exception: unknown): void {
    this.caught.push(exception);
  }
}
@Catch()
class Everything extends Recording {}
@Catch(HttpException)
class HttpOnly extends Recording {}
@Catch(FilesError)
class FilesOnly extends Recording {}
@Catch(QueryFailedError)
class QueriesOnly extends Recording {}
@Catch(BadRequestException)
class BadRequests extends Recording {}

const error = new FileNotFoundError('7');

function host(type: string, args: unknown[] = []): ArgumentsHost {
  const context = new ExecutionContextHost(args);
  context.setType(type);
  return context;
}

function filterAmong(...filters: ExceptionFilter[]): FilesErrorFilter {
  const config = new ApplicationConfig();
  const filter = new FilesErrorFilter(config);
  config.useGlobalFilters(...filters, filter);
  return filter;
}

const logged: unknown[] = [];

beforeEach(() => {
  logged.length = 0;
  for (const level of ['warn', 'error'] as const) {
    const log = vi.spyOn(Logger.prototype, level).mockImplementation((message) => void logged.push(message));
    onTestFinished(() => log.mockRestore());
  }
});

describe('FilesErrorFilter', () => {
  it.each([
    ['everything', new Everything()],
    ['HTTP exceptions', new HttpOnly()],
  ])('leaves the form to a filter of the application for %s, as an HTTP exception', (_, own) => {
    filterAmong(new BadRequests(), own).catch(error, host('http'));
    expect(own.caught).toEqual([error]);
    expect(error).toBeInstanceOf(HttpException);
  });

  it('gives such a filter nothing of a fault that it must not tell, and logs it', () => {
    const own = new Everything();
    const fault = new TaskQueueMissingError();
    filterAmong(own).catch(fault, host('http'));
    const [exception] = own.caught as [HttpException];
    expect(exception.getResponse()).toEqual(fault.getResponse());
    expect([exception.message, exception.cause]).toEqual(['Internal Server Error', fault]);
    expect(logged).toEqual([fault]);
  });

  it('leaves the error itself to a filter of the application for it', () => {
    const [general, own] = [new Everything(), new FilesOnly()];
    filterAmong(own, general).catch(error, host('http'));
    expect(own.caught).toEqual([error]);
    expect(general.caught).toEqual([]);
  });

  it('asks the last registered filter first, as Nest does', () => {
    const [first, last] = [new Everything(), new HttpOnly()];
    filterAmong(first, last).catch(error, host('http'));
    expect([first.caught.length, last.caught.length]).toEqual([0, 1]);
  });

  it.each([
    ['rpc', 'message handlers'],
    ['graphql', 'resolvers'],
  ])('leaves the error itself to a filter of the application for it, of %s too', (type) => {
    const own = new FilesOnly();
    filterAmong(own, new Everything()).catch(error, host(type));
    expect(own.caught).toEqual([error]);
  });

  it.each([
    ['a message handler', 'rpc'],
    ['a resolver', 'graphql'],
    ['a gateway', 'ws'],
  ])('hides the server’s faults from clients of %s', async (_, type) => {
    const fault = new TaskQueueMissingError('the class SecretImporter lacks it');
    const told = JSON.stringify(await seenBy(type, fault));
    expect(logged).toEqual([fault]);
    expect(told).toContain('"code":"FILES_TASK_QUEUE_MISSING"');
    expect(told).toContain('"message":"Internal Server Error"');
    expect(told).not.toContain('SecretImporter');
  });

  it('answers message handlers with a stream that fails', async () => {
    expect(await seenBy('rpc', error)).toEqual({ status: 'error', code: error.code, message: error.message });
    // An event's publisher hears nothing of it.
    expect(logged).toEqual([`FILES_FILE_NOT_FOUND: ${error.message}`]);
  });

  it('throws an error whose code graphql-js shows', async () => {
    const originalError = { statusCode: 404, code: error.code, message: error.message, error: 'Not Found' };
    expect(await seenBy('graphql', error)).toEqual({
      message: error.message,
      extensions: { code: error.code, originalError },
    });
  });

  it('throws an error that Nest’s drivers know as validation', () => {
    const late = new ValidationFailedError(['fileId: The file is protected and cannot be used here']);
    expect(() => filterAmong().catch(late, host('graphql'))).toThrow(late);
  });

  it.each([
    ['ws', { readyState: 1, emit: () => expect.unreachable() }],
    ['socket.io', {}],
  ])('sends clients of %s an exception', async (_, client) => {
    const cause = { pattern: 'create', data: { title: 'x' } };
    const exception = { status: 'error', code: error.code, message: error.message, cause };
    expect(await seenBy('ws', error, client)).toEqual({ event: 'exception', data: exception });
  });

  it.each([
    ['PostgreSQL', { code: '40001' }],
    ['PostgreSQL', { code: '40P01' }],
    ['PostgreSQL', { code: '55P03' }],
    ['MariaDB', { errno: 1213 }],
    ['MariaDB', { errno: 1205 }],
    ['SQLite', { code: 'SQLITE_BUSY' }],
  ])('tells clients on every transport that %s was busy by %o, once a unit has failed with it', async (_, known) => {
    const busy = failedQuery(known);
    expect(busy).not.toBeInstanceOf(Contention);
    noteContention(busy);
    expect(busy).toBeInstanceOf(Contention);
    for (const type of ['rpc', 'graphql', 'ws']) {
      const told = JSON.stringify(await seenBy(type, busy));
      expect(told).toContain('"code":"FILES_DATABASE_BUSY"');
      expect(told).not.toContain('SELECT secret');
    }
    expect(logged).toEqual(Array.from({ length: 3 }, () => expect.objectContaining({ cause: busy })));
  });

  it('gives filters for everything a 503 for a busy database, and filters for its error that error', () => {
    const [general, ofLibrary, ofDatabase] = [new Everything(), new FilesOnly(), new QueriesOnly()];
    const busy = failedQuery({ code: '40P01' });
    noteContention(busy);
    filterAmong(general).catch(busy, host('http'));
    expect((general.caught[0] as HttpException).getResponse()).toMatchObject({
      statusCode: 503,
      code: 'FILES_DATABASE_BUSY',
    });
    filterAmong(general, ofLibrary).catch(busy, host('http'));
    expect(ofLibrary.caught).toEqual([expect.objectContaining({ code: 'FILES_DATABASE_BUSY', cause: busy })]);
    filterAmong(general, ofLibrary, ofDatabase).catch(busy, host('http'));
    expect(ofDatabase.caught).toEqual([busy]);
  });

  it('leaves other errors of databases to whoever had them before', () => {
    const duplicate = failedQuery({ code: '23505' });
    noteContention(duplicate);
    expect(duplicate).not.toBeInstanceOf(Contention);
  });

  it('hands the error back to a transport of another kind', () => {
    expect(() => filterAmong(new Everything()).catch(error, host('of another kind'))).toThrow(error);
  });
});

function failedQuery(known: object): QueryFailedError {
  return new QueryFailedError('SELECT secret', [], Object.assign(new Error('as the database says'), known));
}

/** What the other side gets to see. */
async function seenBy(type: string, thrown: FilesError | QueryFailedError, client = {}): Promise<unknown> {
  const sent: unknown[] = [];
  const socket = {
    emit: (event: string, data: unknown) => sent.push({ event, data }),
    send: (text: string) => sent.push(JSON.parse(text)),
    ...client,
  };
  try {
    const answer = filterAmong(new Everything()).catch(thrown, host(type, [socket, { title: 'x' }, 'create']));
    return isObservable(answer) ? await firstValueFrom(answer) : sent[0];
  } catch (seen) {
    return seen instanceof Error ? { ...seen, message: seen.message } : seen;
  }
}
