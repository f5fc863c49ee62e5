import { Catch, Logger } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { FilesError } from '../errors/files-error.js';
import { isServerFault, toHttpException } from './to-http-exception.js';

/** Where `@Catch()` leaves the types that a filter handles. */
const CATCHES = '__filterCatchExceptions__';

/**
 * Answers errors of the library over HTTP. The application's own global filters keep the last word about the form: one that
 * catches `FilesError` gets the error, one that catches `HttpException` or everything gets the exception made of it.
 */
@Catch(FilesError)
export class FilesErrorFilter extends BaseExceptionFilter {
  readonly #logger = new Logger('FilesModule');

  constructor(private readonly config: ApplicationConfig) {
    super();
  }

  override catch(error: FilesError, host: ArgumentsHost): unknown {
    const type = host.getType<string>();
    // A message handler's filter answers with a stream; what it throws is lost on some transports.
    if (type === 'rpc') return throwError(() => ({ status: 'error', code: error.code, message: error.message }));
    if (type !== 'http') throw error;
    const own = this.#applicationFilters();
    const specific = own.find((filter) => catches(filter).some((caught) => error instanceof caught));
    if (specific !== undefined) return specific.catch(error, host);
    const exception = toHttpException(error);
    if (isServerFault(exception.getStatus())) this.#logger.error(error);
    const general = own.find(
      (filter) => catches(filter).length === 0 || catches(filter).some((caught) => exception instanceof caught),
    );
    if (general !== undefined) return general.catch(exception, host);
    return super.catch(exception, host);
  }

  /** In the order in which Nest asks: the last one registered first. */
  #applicationFilters(): ExceptionFilter[] {
    return this.config
      .getGlobalFilters()
      .filter((filter) => !(filter instanceof FilesErrorFilter))
      .toReversed();
  }
}

function catches(filter: ExceptionFilter): (abstract new (...args: never[]) => unknown)[] {
  return (
    Reflect.getMetadata(CATCHES, Object.getPrototypeOf(filter) as object) ??
    Reflect.getMetadata(CATCHES, filter.constructor) ??
    []
  );
}
