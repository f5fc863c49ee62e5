import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { UploadMalformedError } from '../../errors/requests.errors.js';
import { FormReader } from './form-reader.js';
import type { FilePart } from './form-reader.js';

export const FILE_FIELD = 'file';
export const STORAGE_FIELD = 'storage';

/** A file of a form, about to be read. */
export interface Upload {
  name: string;
  contentType: string;
  /** The storage that the client named. */
  storage: string | undefined;
  content: Readable;
}

/**
 * Reads the files of a form and gives them to `store` one by one, while they arrive; they end only when the form was
 * found complete. When `store` fails, or the form turns out to be wrong, the error is thrown at once and the rest of
 * the request is left unread.
 */
export async function receiveForm<T>(
  request: IncomingMessage,
  idleTimeout: number,
  store: (uploads: AsyncIterable<Upload>) => Promise<T>,
): Promise<T> {
  let form: FormReader | undefined;
  try {
    form = new FormReader(request, idleTimeout);
    return await store(uploadsOf(form));
  } catch (error) {
    form?.close();
    throw error;
  }
}

async function* uploadsOf(form: FormReader): AsyncGenerator<Upload, void, void> {
  let storage: string | undefined;
  let count = 0;
  for (let part = await form.next(); part !== undefined; part = await form.next()) {
    if (part.kind === 'file') {
      assertFileField(part.name);
      count++;
      yield { name: part.filename ?? '', contentType: part.contentType, storage, content: contentOf(part, form) };
    } else if (part.name === STORAGE_FIELD) {
      if (count > 0) throw new UploadMalformedError(`the field "${STORAGE_FIELD}" comes after the file`);
      if (part.value !== '') storage = part.value;
    }
  }
  if (count === 0) throw new UploadMalformedError(`it has no file in the field "${FILE_FIELD}"`);
}

function assertFileField(name: string): void {
  if (name === FILE_FIELD) return;
  const field = JSON.stringify(name.slice(0, 100));
  throw new UploadMalformedError(`the file is in the field ${field}, not in "${FILE_FIELD}"`);
}

/** The bytes of a file, to be read before the form's next part is asked for; they fail as the form fails. */
export function contentOf(file: FilePart, form: FormReader): Readable {
  return Readable.from(bytesOf(file, form), { objectMode: false });
}

async function* bytesOf(file: FilePart, form: FormReader): AsyncGenerator<Buffer, void, void> {
  try {
    yield* file.body as AsyncIterable<Buffer>;
  } catch (error) {
    // The error of the form is the better one.
    await form.next();
    throw error;
  }
}
