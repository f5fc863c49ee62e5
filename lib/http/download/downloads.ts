import { validateHeaderValue } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { HttpStatus, Inject, Injectable, StreamableFile } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { FileChangedError } from '../../errors/files.errors.js';
import { PreconditionFailedError, RangeNotSatisfiableError } from '../../errors/requests.errors.js';
import { isDerived } from '../../files/derived/derived-rows.js';
import { assertReadable } from '../../files/scan/scan-state.js';
import { FilesService } from '../../files/files.service.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import type { ByteRange } from '../../storage/storage-adapter.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { requestedRange } from './byte-range.js';
import { DOWNLOAD_IDLE_TIMEOUT, watchContent, watchDeparture } from './departure.js';
import type { PlatformResponse } from './departure.js';
import { downloadHeaders, headersToElsewhere, opened, typeOf, untransformed } from './download.js';
import { wantedDigest } from './wanted-digest.js';
import { evaluatePreconditions, isRangeOfCurrent } from './preconditions.js';
import { rawRequest } from '../form/raw-body.js';
import { validatorHeaders, validatorsOf } from '../routes/validators.js';

const MAX_ATTEMPTS = 5;
// Seconds, in which most scans and derivations are over.
const RETRY_AFTER = '2';

/** Options of one download. */
export interface DownloadOptions {
  /** Called before the client gets any content. Called again if the file was changed in the meantime. */
  beforeBody?: () => Promise<void>;
  /** @default `attachment`, unless browsers can safely show the file's type */
  disposition?: 'attachment' | undefined;
}

/** Answers requests for the content of files according to https://www.rfc-editor.org/rfc/rfc9110. */
@Injectable()
export class Downloads {
  constructor(
    private readonly files: FilesService,
    private readonly storages: StorageRegistry,
    private readonly adapters: HttpAdapterHost,
    @Inject(DOWNLOAD_IDLE_TIMEOUT) private readonly idleTimeout: number,
  ) {}

  /**
   * Finds the file, sets status and headers, and returns the body. Returns undefined if the client already has the
   * content, and, with 202, if there is no file yet.
   */
  async answer(
    find: () => Promise<ManagedFile | undefined>,
    context: ExecutionContext,
    how: DownloadOptions = {},
  ): Promise<StreamableFile | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const file = await find();
        return file ? await this.#answer(file, context, how) : this.#notYet(context);
      } catch (error) {
        // The file was replaced or moved after its row was read. `find` checks access again, for the new state.
        if (!(error instanceof FileChangedError) || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #answer(
    file: ManagedFile,
    context: ExecutionContext,
    { beforeBody, disposition }: DownloadOptions,
  ): Promise<StreamableFile | undefined> {
    this.assertReadable(file, context);
    const request = rawRequest(context.switchToHttp().getRequest<IncomingMessage>());
    const current = validatorsOf(file);
    const verdict = evaluatePreconditions(request, current);
    const isHead = request.method === 'HEAD';
    if (verdict === 'failed' && (isHead || !this.#isRedirected(file))) throw new PreconditionFailedError(file.id);
    // Before anything is opened or used up: `cacheControl` of the application may fail.
    const cacheControl = await this.#cacheControlOf(file);
    const headers = this.#headersOf(file, request, cacheControl);
    if (verdict === 'unmodified') {
      this.#setHeaders(headers, context);
      this.#setStatus(context, HttpStatus.NOT_MODIFIED);
      return undefined;
    }
    const isForPart = request.method === 'GET' && this.#hasRanges(file) && isRangeOfCurrent(request.headers, current);
    const range = isForPart ? this.#rangeOf(file, request.headers.range, context) : undefined;
    if (!isHead) await beforeBody?.();
    const elsewhere = await this.#elsewhere(file, request, cacheControl, disposition);
    if (elsewhere) return this.#sendElsewhere(file, elsewhere, headers, context);
    const body = isHead ? Readable.from([]) : await opened(await this.files.stream(file, range), file);
    // @fastify/compress ignores `no-transform`, but respects this header.
    request.headers['x-no-compression'] = 'no-transform';
    try {
      this.#setHeaders(headers, context);
      return this.#described(file, body, range, context);
    } catch (error) {
      body.destroy();
      throw error;
    }
  }

  #described(
    file: ManagedFile,
    body: Readable,
    range: ByteRange | undefined,
    context: ExecutionContext,
  ): StreamableFile {
    const type = typeOf(file);
    if (range === undefined) return new StreamableFile(body, { type, length: file.size });
    this.#set(context, { 'Content-Range': `bytes ${range.start}-${range.end}/${file.size}` });
    this.#setStatus(context, HttpStatus.PARTIAL_CONTENT);
    return new StreamableFile(body, { type, length: range.end - range.start + 1 });
  }

  /**
   * Conditions count where the answer would be a 2xx without them, so that a redirected client may name the validators
   * of the storage: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.1
   */
  #isRedirected(file: ManagedFile): boolean {
    return this.storages.of(file).downloads === 'redirect';
  }

  /**
   * The headers that say where the bytes are. `undefined` for `HEAD`, and if the application sends them itself, as to
   * nginx where it would evaluate a condition of the request again: it does not know the ETag, and answers 412.
   */
  async #elsewhere(
    file: ManagedFile,
    { method, headers }: IncomingMessage,
    cacheControl: string,
    disposition: 'attachment' | undefined,
  ): Promise<Record<string, string> | undefined> {
    const storage = this.storages.of(file);
    const isConditional = headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined;
    if (method === 'HEAD' || (isConditional && typeof storage.downloads === 'object')) return undefined;
    return headersToElsewhere(file, storage, cacheControl, disposition);
  }

  #notYet(context: ExecutionContext): undefined {
    this.#set(context, { 'Retry-After': RETRY_AFTER, 'Cache-Control': 'no-store' });
    this.#setStatus(context, HttpStatus.ACCEPTED);
    return undefined;
  }

  /**
   * Throws unless content is clean. Before the conditions: a cache must not be told that content which is closed now is
   * still good.
   */
  assertReadable(file: ManagedFile, context: ExecutionContext): void {
    if (file.scan === 'pending') this.#set(context, { 'Retry-After': RETRY_AFTER });
    assertReadable(file);
  }

  /**
   * Tells the validators of content that was written as it came:
   * https://www.rfc-editor.org/rfc/rfc9110#section-9.3.4
   */
  setValidators(file: ManagedFile, context: ExecutionContext): void {
    this.#set(context, validatorHeaders(validatorsOf(file)));
  }

  /**
   * Sends the result of `answer()`. Handlers call this method instead of returning the stream. Otherwise an interceptor
   * of the application could turn the stream into JSON, for example an interceptor that wraps results into an envelope.
   */
  send(body: StreamableFile | undefined, response: PlatformResponse): void {
    if (body) {
      watchDeparture(response, this.idleTimeout);
      // Before the platform, which destroys the response in any case.
      watchContent(body.getStream(), response);
    }
    this.adapters.httpAdapter.reply(response, body);
  }

  /**
   * Answers with an empty body and an address of the content. This counts as a download: a one-time link is used up.
   */
  #sendElsewhere(
    file: ManagedFile,
    elsewhere: Record<string, string>,
    headers: Record<string, string>,
    context: ExecutionContext,
  ): StreamableFile {
    if (elsewhere['Location'] !== undefined) this.#setStatus(context, HttpStatus.TEMPORARY_REDIRECT);
    else this.#setHeaders(headers, context);
    this.#set(context, elsewhere);
    return new StreamableFile(Readable.from([]), { type: typeOf(file), length: 0 });
  }

  #rangeOf(file: ManagedFile, header: string | undefined, context: ExecutionContext): ByteRange | undefined {
    const range = requestedRange(header, file.size);
    if (range !== 'unsatisfiable') return range;
    this.#set(context, { 'Content-Range': `bytes */${file.size}` });
    throw new RangeNotSatisfiableError(header ?? '', file.size);
  }

  #hasRanges(file: ManagedFile): boolean {
    return this.storages.of(file).can('read');
  }

  /**
   * Chosen for a derived file by the owner of its original, which decides about access, too. If the original is gone,
   * no owner is left to choose by.
   */
  async #cacheControlOf(file: ManagedFile): Promise<string> {
    const storage = this.storages.of(file);
    if (!isDerived(file) || !storage.choosesCacheControl) return untransformed(storage.cacheControlOf(file));
    const [original] = await this.files.findMany([file.ownerId ?? '']);
    if (!original) return untransformed('private, no-cache');
    const { ownerType, ownerId } = original;
    const { id, contentType } = file;
    return untransformed(storage.cacheControlOf({ id, contentType, ownerType, ownerId }));
  }

  /** Throws if one of them has a value that no header can have. */
  #headersOf(file: ManagedFile, request: IncomingMessage, cacheControl: string): Record<string, string> {
    const chosen = downloadHeaders(file, this.storages.of(file), cacheControl);
    const headers = { ...chosen, ...wantedDigest(request.headers, file) };
    for (const [name, value] of Object.entries(headers)) validateHeaderValue(name, value);
    return headers;
  }

  #setHeaders(headers: Record<string, string>, context: ExecutionContext): void {
    this.#set(context, headers);
    // If the application has set this header, its value stays. It may allow other sites to show the files.
    const policy = 'Cross-Origin-Resource-Policy';
    const stated: unknown = this.adapters.httpAdapter.getHeader(context.switchToHttp().getResponse(), policy);
    if (stated === undefined) this.#set(context, { [policy]: 'same-site' });
  }

  #set(context: ExecutionContext, headers: Record<string, string>): void {
    const response: unknown = context.switchToHttp().getResponse();
    for (const [name, value] of Object.entries(headers)) this.adapters.httpAdapter.setHeader(response, name, value);
  }

  #setStatus(context: ExecutionContext, status: HttpStatus): void {
    this.adapters.httpAdapter.status(context.switchToHttp().getResponse(), status);
  }
}
