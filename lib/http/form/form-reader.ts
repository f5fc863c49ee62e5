import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import busboy from 'busboy';
import {
  UploadMalformedError,
  MultipartExpectedError,
  UploadAbortedError,
  UploadLimitExceededError,
} from '../../errors/requests.errors.js';
import { overrideMember } from '../../unit-of-work/typeorm/override-member.js';
import { watchArrival } from './arrival.js';
import { digestedBody } from './body-digest.js';
import { watchCut } from './cut-off.js';
import { Inbox } from './inbox.js';

export interface FieldPart {
  kind: 'field';
  name: string;
  value: string;
}

export interface FilePart {
  kind: 'file';
  name: string;
  /** Without directories; `undefined` if the client sent no file name. */
  filename: string | undefined;
  /** The type that the client declares. */
  contentType: string;
  /** Has no size limit: its reader counts the bytes. */
  body: Readable;
}

export type Part = FieldPart | FilePart;

/** The limits of a form. */
export interface FormLimits {
  readonly fields: number;
  readonly files: number;
  /** One more than the number of parts (fields and files) that a form may have. */
  readonly parts: number;
  /** Bytes of one field. */
  readonly fieldSize: number;
  /** Bytes outside the content of files. The header of a part may have 16 KiB. */
  readonly overhead: number;
}

/** The limit for the bytes of an upload outside the content of files: fields, headers of parts, boundaries and more. */
export const FORM_OVERHEAD = 1024 * 1024;

const UPLOAD_LIMITS: FormLimits = {
  fields: 20,
  files: 20,
  parts: 50,
  fieldSize: 8 * 1024,
  overhead: FORM_OVERHEAD,
};

/**
 * Reads a multipart/form-data request part by part, at the pace of the caller: the parts after a file are parsed while
 * its body is read. `next()` discards the rest of a body. Throws if a limit is exceeded, or if the form is malformed.
 */
export class FormReader {
  readonly #inbox = new Inbox<Part>();
  readonly #parser: busboy.Busboy;
  /** The stream that the request is piped into: the parser, or the check of the digest, which feeds the parser. */
  readonly #entry: Writable;
  /** The bodies of files that have begun and are not closed. */
  readonly #bodies = new Set<Readable>();
  readonly #unwatch: () => void;
  readonly #uncut: () => void;
  readonly #uncount: () => void;
  /** The bytes of files that were parsed so far. */
  #content = 0;
  #taken: Readable | undefined;

  /** Throws if the request cannot be read as a form. */
  constructor(
    private readonly request: IncomingMessage,
    idleTimeout: number,
    limits: FormLimits = UPLOAD_LIMITS,
  ) {
    const checked = digestedBody(request);
    this.#parser = openParser(request, limits);
    this.#listen(limits);
    this.#uncut = watchCut(request, () => this.fail(new UploadAbortedError()));
    this.#unwatch = watchArrival(request, idleTimeout, (error) => this.fail(error));
    this.#entry = checked ?? this.#parser;
    this.#uncount = this.#countOverhead(checked ?? request, limits.overhead);
    checked?.on('error', (error) => this.fail(error)).pipe(this.#parser);
    request.pipe(this.#entry);
  }

  /** The next part; `undefined` after the last one of a complete form. */
  async next(): Promise<Part | undefined> {
    this.#taken?.resume();
    const part = await this.#inbox.take();
    this.#taken = part?.kind === 'file' ? part.body : undefined;
    return part;
  }

  /** Leaves the rest of the request unread. */
  close(): void {
    this.#unwatch();
    this.#uncount();
    this.#uncut();
    this.request.unpipe(this.#entry);
    this.#entry.destroy();
    this.#parser.destroy();
    this.#inbox.end();
  }

  #listen({ fields, files, parts, fieldSize }: FormLimits): void {
    this.#parser
      .on('field', (name: string | undefined, value, { valueTruncated }) => {
        if (valueTruncated) this.fail(new UploadLimitExceededError('the bytes of a field', fieldSize));
        else this.#inbox.put({ kind: 'field', name: name ?? '', value });
      })
      .on('file', (name: string | undefined, body, { filename, mimeType }: busboy.FileInfo) => {
        // A body may fail when it is no longer read.
        body.on('error', () => {});
        this.#bodies.add(body);
        this.#countContent(body);
        body.once('close', () => this.#bodies.delete(body));
        this.#inbox.put({ kind: 'file', name: name ?? '', filename: unescaped(filename), contentType: mimeType, body });
      })
      .on('filesLimit', () => this.fail(new UploadLimitExceededError('the number of files', files)))
      .on('fieldsLimit', () => this.fail(new UploadLimitExceededError('the number of fields', fields)))
      .on('partsLimit', () => this.fail(new UploadLimitExceededError('the number of parts', parts - 1)))
      .on('error', (error) => this.fail(malformed(error)))
      .on('close', () => this.#inbox.end());
  }

  /**
   * Refuses a form with more than `max` bytes outside its files: busboy does not report those before the first part,
   * after the last one, and in parts without a name. The returned function ends the counting.
   */
  #countOverhead(source: Readable, max: number): () => void {
    let given = 0;
    const count = (chunk: Buffer): void => {
      // Bytes that wait in the parser may be content of a file.
      const parsed = given - this.#parser.writableLength;
      if (parsed - this.#content > max)
        this.fail(new UploadLimitExceededError('the bytes of a form outside its files', max));
      given += chunk.length;
    };
    source.on('data', count);
    return () => void source.off('data', count);
  }

  #countContent(body: Readable): void {
    const push = body.push.bind(body);
    overrideMember(body, 'push', (chunk: Buffer | null) => {
      this.#content += chunk?.length ?? 0;
      return push(chunk);
    });
  }

  /** Ends the reading of the form, and of a body that is being read, with the error. */
  fail(error: Error): void {
    this.#inbox.fail(error);
    for (const body of this.#bodies) body.destroy(error);
  }
}

/** Whether a request of this content type is a multipart form. */
export function isForm(contentType: string | undefined): boolean {
  return /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType ?? '');
}

function openParser(request: IncomingMessage, limits: FormLimits): busboy.Busboy {
  const contentType = request.headers['content-type'];
  if (!isForm(contentType)) throw new MultipartExpectedError(contentType);
  if (request.readableEnded || request.readableDidRead) {
    throw new UploadMalformedError('a middleware of the application had already read its body');
  }
  if (request.destroyed) throw new UploadAbortedError();
  try {
    // busboy reports a field whose size is exactly the limit as truncated.
    return busboy({
      headers: request.headers,
      defParamCharset: 'utf8',
      limits: { ...limits, fieldSize: limits.fieldSize + 1 },
    });
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(error: unknown): UploadMalformedError {
  const reason = error instanceof Error ? error.message.replace(/^Multipart: /, '') : String(error);
  return new UploadMalformedError(reason.charAt(0).toLowerCase() + reason.slice(1), { cause: error });
}

/** Browsers and curl write a quote in a name as %22: https://html.spec.whatwg.org/#multipart-form-data */
function unescaped(filename: string | undefined): string | undefined {
  return filename?.replaceAll('%22', '"');
}
