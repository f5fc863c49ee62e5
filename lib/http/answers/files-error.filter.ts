import { Catch, HttpException, Logger } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { ApplicationConfig, BaseExceptionFilter } from '@nestjs/core';
import { throwError } from 'rxjs';
import { isServerFault } from '../../errors/error-status.js';
import { FilesError } from '../../errors/files-error.js';
import { ValidationFailedError } from '../../errors/files.errors.js';
import { DatabaseBusyError } from '../../errors/units.errors.js';
import { Contention } from '../../unit-of-work/transaction/contention.js';

/** Where `@Catch()` leaves the types that a filter handles. */
const CATCHES = '__filterCatchExceptions__';

/**
 * Answers errors of the library on every transport, with their code and without details of the server, and logs faults
 * of the server. It answers a `DatabaseBusyError` for the error of a database that rolled a unit of work back because
 * of other transactions. The application's own global filters keep the last word: one that catches `FilesError`, or
 * that error of the database, on every transport, one that catches `HttpException` or everything over HTTP. Nest
 * applies no global filters to gateways: put it there with `@UseFilters(FilesErrorFilter)`.
 */
@Catch(FilesError, Contention)
export class FilesErrorFilter extends BaseExceptionFilter {
  readonly #logger = new Logger('FilesModule');

  constructor(private readonly config: ApplicationConfig) {
    super();
  }

  /**
   * Nest asks the global filter that was registered last, and a filter for everything ends the search: its log would
   * lack the details that the answer must not have. Call it before the routes are registered.
   * @internal
   */
  comeFirst(): void {
    this.config.addGlobalFilter(this);
  }

  /** Answers the error on the transport of its call. */
  override catch(thrown: Error, host: ArgumentsHost): unknown {
    const type = host.getType<string>();
    const own = type === 'ws' ? [] : this.#applicationFilters();
    const error = thrown instanceof FilesError ? thrown : new DatabaseBusyError(thrown);
    for (const filter of own) {
      if (error !== thrown && catchesIt(filter, thrown)) return filter.catch(thrown, host);
      if (catchesIt(filter, error, isOfLibrary)) return filter.catch(error, host);
    }
    if (isServerFault(error.getStatus())) this.#logger.error(error);
    if (type === 'http') return this.#answer(error, host, own);
    return this.#tell(type, error, thrown, host);
  }

  /** Answers on a transport that is not HTTP. */
  #tell(type: string, error: FilesError, thrown: Error, host: ArgumentsHost): unknown {
    switch (type) {
      case 'graphql':
        throw toGraphqlError(error);
      case 'rpc':
        // An event has no recipient for the answer, and cannot be told from a message here.
        if (!isServerFault(error.getStatus())) this.#logger.warn(`${error.code}: ${error.message}`);
        // A message handler's filter answers with a stream, because some transports lose an error that it throws.
        return throwError(() => ({ status: 'error', code: error.code, message: error.publicMessage }));
      case 'ws':
        return sendException(error, host);
      default:
        throw thrown;
    }
  }

  #answer(error: FilesError, host: ArgumentsHost, own: readonly ExceptionFilter[]): unknown {
    const exception = isServerFault(error.getStatus()) ? withoutMessage(error) : error;
    const general = own.find((filter) => catches(filter).length === 0 || catchesIt(filter, exception));
    return general === undefined ? super.catch(exception, host) : general.catch(exception, host);
  }

  /** In the order in which Nest asks: the last one registered first. */
  #applicationFilters(): ExceptionFilter[] {
    return this.config
      .getGlobalFilters()
      .filter((filter) => !(filter instanceof FilesErrorFilter))
      .toReversed();
  }
}

type Caught = abstract new (...args: never[]) => unknown;

function catches(filter: ExceptionFilter): Caught[] {
  return (
    Reflect.getMetadata(CATCHES, Object.getPrototypeOf(filter) as object) ??
    Reflect.getMetadata(CATCHES, filter.constructor) ??
    []
  );
}

/** Whether the filter names a type of the error, one of those that count. */
function catchesIt(filter: ExceptionFilter, error: Error, counts: (caught: Caught) => boolean = () => true): boolean {
  return catches(filter).some((caught) => counts(caught) && error instanceof caught);
}

function isOfLibrary(caught: Caught): boolean {
  return caught === FilesError || caught.prototype instanceof FilesError;
}

/** Filters like to answer with `exception.message`. */
function withoutMessage(error: FilesError): HttpException {
  return new HttpException(error.getResponse(), error.getStatus(), { cause: error });
}

interface SocketClient {
  /** Only clients of ws have one. Their `emit` sends nothing. */
  readonly readyState?: number;
  send(text: string): void;
  emit(event: string, data: unknown): void;
}

/** Sends the client of a gateway the event `exception`, as Nest does for a `WsException`, with the error's code. */
function sendException(error: FilesError, host: ArgumentsHost): void {
  const call = host.switchToWs();
  const cause = { pattern: call.getPattern(), data: call.getData<unknown>() };
  const data = { status: 'error', code: error.code, message: error.publicMessage, cause };
  const client = call.getClient<SocketClient>();
  if (client.readyState === undefined) client.emit('exception', data);
  else client.send(JSON.stringify({ event: 'exception', data }));
}

/**
 * The error that a resolver throws for an error of the library: graphql-js puts `extensions` into the answer, so
 * clients find the code where Apollo has its own, and the body of the HTTP answer where Nest has that of HTTP
 * exceptions.
 */
function toGraphqlError(error: FilesError): Error {
  // Nest's driver gives it the form that errors of the ValidationPipe have.
  if (error instanceof ValidationFailedError) return error;
  const extensions = { code: error.code, originalError: error.getResponse() };
  return Object.assign(new Error(error.publicMessage, { cause: error }), { extensions });
}
