import { BadRequestException, Catch, HttpException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/internal';
import { firstValueFrom, isObservable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { FileNotFoundError } from '../../../lib/errors/file-not-found.error.js';
import { FilesError } from '../../../lib/errors/files-error.js';
import { FilesErrorFilter } from '../../../lib/http/files-error.filter.js';

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
@Catch(BadRequestException)
class BadRequests extends Recording {}

const error = new FileNotFoundError('7');

function host(type: string): ArgumentsHost {
  const context = new ExecutionContextHost([]);
  context.setType(type);
  return context;
}

function filterAmong(...filters: ExceptionFilter[]): FilesErrorFilter {
  const config = new ApplicationConfig();
  const filter = new FilesErrorFilter(config);
  config.useGlobalFilters(...filters, filter);
  return filter;
}

describe('FilesErrorFilter', () => {
  it.each([
    ['everything', new Everything()],
    ['HTTP exceptions', new HttpOnly()],
  ])('leaves the form to a filter of the application for %s, as an HTTP exception', (_, own) => {
    filterAmong(new BadRequests(), own).catch(error, host('http'));
    expect(own.caught).toEqual([expect.any(HttpException)]);
    const [exception] = own.caught as [HttpException];
    expect(exception.getStatus()).toBe(404);
    expect(exception.cause).toBe(error);
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

  it('answers message handlers with a stream that fails', async () => {
    const answer = filterAmong(new Everything()).catch(error, host('rpc'));
    if (!isObservable(answer)) throw new Error('not a stream');
    await expect(firstValueFrom(answer)).rejects.toEqual({ status: 'error', code: error.code, message: error.message });
  });

  it.each(['graphql', 'ws', 'of another kind'])('hands the error back to a transport that is %s', (type) => {
    expect(() => filterAmong(new Everything()).catch(error, host(type))).toThrow(error);
  });
});
