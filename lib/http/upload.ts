import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { MalformedUploadError } from '../errors/malformed-upload.error.js';
import { discardRest } from './discard-rest.js';
import { FormReader } from './form-reader.js';
import type { FilePart } from './form-reader.js';

export const FILE_FIELD = 'file';
export const STORAGE_FIELD = 'storage';

/** An upload whose file is about to be read. */
export interface Upload {
  name: string;
  contentType: string;
  /** As the client named it. */
  storage: string | undefined;
  /** Ends when the whole form has been read and found complete; fails otherwise. */
  content: Readable;
}

/**
 * Reads the one file of a form and gives it to `store` while it arrives. When `store` fails, or the form turns out to be
 * wrong, the error is thrown at once and the rest of the request is discarded.
 */
export async function receiveUpload<T>(request: IncomingMessage, store: (upload: Upload) => Promise<T>): Promise<T> {
  let form: FormReader | undefined;
  try {
    form = new FormReader(request);
    const { file, storage } = await firstFile(form);
    const content = Readable.from(wholeForm(file, form), { objectMode: false });
    return await store({ name: file.filename ?? '', contentType: file.contentType, storage, content });
  } catch (error) {
    form?.close();
    discardRest(request);
    throw error;
  }
}

async function firstFile(form: FormReader): Promise<{ file: FilePart; storage: string | undefined }> {
  let storage: string | undefined;
  for (let part = await form.next(); part !== undefined; part = await form.next()) {
    if (part.kind === 'file') {
      if (part.name === FILE_FIELD) return { file: part, storage };
      throw new MalformedUploadError(
        `the file is in the field ${JSON.stringify(part.name.slice(0, 100))}, not in "${FILE_FIELD}"`,
      );
    }
    if (part.name === STORAGE_FIELD && part.value !== '') storage = part.value;
  }
  throw new MalformedUploadError(`it has no file in the field "${FILE_FIELD}"`);
}

/** The bytes of the file. They end with their form, so that whoever stores them keeps nothing of a form that is wrong later on. */
async function* wholeForm(file: FilePart, form: FormReader): AsyncGenerator<Buffer, void, void> {
  try {
    yield* file.body as AsyncIterable<Buffer>;
  } catch (error) {
    // The form knows better what went wrong.
    await form.next();
    throw error;
  }
  for (let part = await form.next(); part !== undefined; part = await form.next()) {
    if (part.name === STORAGE_FIELD)
      throw new MalformedUploadError(`the field "${STORAGE_FIELD}" comes after the file`);
  }
}
