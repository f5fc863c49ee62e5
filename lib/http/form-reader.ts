import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { MalformedUploadError } from '../errors/malformed-upload.error.js';
import { MultipartExpectedError } from '../errors/multipart-expected.error.js';
import { UploadAbortedError } from '../errors/upload-aborted.error.js';
import { UploadLimitError } from '../errors/upload-limit.error.js';
import { Inbox } from './inbox.js';

export interface FieldPart {
  kind: 'field';
  name: string;
  value: string;
}

export interface FilePart {
  kind: 'file';
  name: string;
  /** Without directories; `undefined` when the client named none. */
  filename: string | undefined;
  /** The client's claim. */
  contentType: string;
  /** Has no limit of its own: who reads it counts. */
  body: Readable;
}

export type Part = FieldPart | FilePart;

const MAX_FIELDS = 20;
const MAX_FILES = 20;
const MAX_FIELD_SIZE = 8 * 1024;
const MAX_PARTS = 50;

/**
 * Reads a multipart/form-data request part by part, at the pace of the caller: what comes after a file is parsed while its
 * body is read, or, unread, discarded by `next()`. Every limit and every fault of the form is thrown.
 */
export class FormReader {
  readonly #inbox = new Inbox<Part>();
  readonly #parser: busboy.Busboy;
  /** Bodies that were parsed, and of which not everything was read. */
  readonly #bodies = new Set<Readable>();
  #taken: Readable | undefined;

  /** Throws if the request cannot be such a form. */
  constructor(private readonly request: IncomingMessage) {
    this.#parser = openParser(request);
    this.#listen();
    request.pipe(this.#parser);
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
    this.request.off('close', this.#onClose);
    this.request.unpipe(this.#parser);
    this.#parser.destroy();
    this.#inbox.end();
  }

  #listen(): void {
    this.#parser
      .on('field', (name: string | undefined, value, { valueTruncated }) => {
        if (valueTruncated) this.#fail(new UploadLimitError('the bytes of a field', MAX_FIELD_SIZE));
        else this.#inbox.put({ kind: 'field', name: name ?? '', value });
      })
      .on('file', (name: string | undefined, body, { filename, mimeType }: busboy.FileInfo) => {
        // It may fail when nobody reads it any more.
        body.on('error', () => {});
        this.#bodies.add(body);
        body.once('close', () => this.#bodies.delete(body));
        this.#inbox.put({ kind: 'file', name: name ?? '', filename: unescaped(filename), contentType: mimeType, body });
      })
      .on('filesLimit', () => this.#fail(new UploadLimitError('the number of files', MAX_FILES)))
      .on('fieldsLimit', () => this.#fail(new UploadLimitError('the number of fields', MAX_FIELDS)))
      .on('partsLimit', () => this.#fail(new UploadLimitError('the number of parts', MAX_PARTS - 1)))
      .on('error', (error) => this.#fail(malformed(error)))
      .on('close', () => this.#inbox.end());
    // Node tells an interrupted request by an error, by closing, or by both.
    this.request.on('error', () => this.#fail(new UploadAbortedError()));
    this.request.on('close', this.#onClose);
  }

  readonly #onClose = (): void => {
    if (!this.request.complete) this.#fail(new UploadAbortedError());
  };

  #fail(error: Error): void {
    this.#inbox.fail(error);
    for (const body of this.#bodies) body.destroy(error);
  }
}

function openParser(request: IncomingMessage): busboy.Busboy {
  const contentType = request.headers['content-type'];
  if (!/^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType ?? '')) throw new MultipartExpectedError(contentType);
  if (request.readableEnded) {
    throw new MalformedUploadError('its body was read before it came here, by a middleware of the application');
  }
  if (request.destroyed) throw new UploadAbortedError();
  const limits = { files: MAX_FILES, fields: MAX_FIELDS, fieldSize: MAX_FIELD_SIZE, parts: MAX_PARTS };
  try {
    return busboy({ headers: request.headers, defParamCharset: 'utf8', limits });
  } catch (error) {
    throw malformed(error);
  }
}

function malformed(error: unknown): MalformedUploadError {
  const reason = error instanceof Error ? error.message.replace(/^Multipart: /, '') : String(error);
  return new MalformedUploadError(reason.charAt(0).toLowerCase() + reason.slice(1), { cause: error });
}

/** Browsers and curl write a quote in a name as %22: https://html.spec.whatwg.org/#multipart-form-data */
function unescaped(filename: string | undefined): string | undefined {
  return filename?.replaceAll('%22', '"');
}
