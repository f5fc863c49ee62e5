import { buffer } from 'node:stream/consumers';
import { LocationTakenError } from '../../errors/storage.errors.js';
import { UploadBusyError } from '../../errors/uploads.errors.js';
import { locationKey } from '../location-key.js';
import type { ResumableUploadPlace } from '../resumable-upload-place.js';
import type { GcsBucket, GcsObject } from './gcs-bucket.js';
import { publishJoined } from './gcs-join.js';

/** The path below the prefix of uploads that are not finished. No file has its location there. */
export const GCS_APPENDED = '.nestjs-files/appended/';

const PIECE_SIZE = 8 * 1024 * 1024;
// Of a number of bytes in names, which are listed as texts.
const DIGITS = 16;
const BEGUN = 'begun';

interface Piece extends GcsObject {
  location: string;
  start: number;
}

/**
 * Uploads of several requests. Whatever one request brings becomes an object, or several of 8 MiB, whose name is the position of its first
 * byte. It is made only if no object has this name, so that of two requests only one appends. The pieces are composed when the upload is complete.
 * A resumable session of Google would take multiples of 256 KiB only, and cannot be read or found again.
 */
export class GcsResumableUploads implements ResumableUploadPlace {
  constructor(private readonly bucket: GcsBucket) {}

  async begin(location: string): Promise<string> {
    const directory = piecesAt(location);
    // It tells an upload without bytes from a finished one.
    await this.#put(directory + BEGUN, Buffer.alloc(0)).catch((error: unknown) => {
      if (!(error instanceof LocationTakenError)) throw error;
    });
    return directory;
  }

  async offset(location: string): Promise<number | undefined> {
    if (!(await this.bucket.stat(piecesAt(location) + BEGUN))) return undefined;
    const last = (await this.#pieces(location)).at(-1);
    return last ? last.start + last.size : 0;
  }

  async append(location: string, _handle: string, offset: number, content: AsyncIterable<Uint8Array>): Promise<number> {
    let [chunks, length, position]: [Uint8Array[], number, number] = [[], 0, offset];
    const send = async (): Promise<void> => {
      if (length === 0) return;
      const piece = Buffer.concat(chunks);
      [chunks, length] = [[], 0];
      await this.#put(pieceAt(location, position), piece).catch((error: unknown) => {
        if (!(error instanceof LocationTakenError)) throw error;
        throw new Error(`another request has appended at byte ${position}`, { cause: error });
      });
      position += piece.length;
    };
    try {
      for await (const chunk of content) {
        chunks.push(chunk);
        length += chunk.length;
        if (length >= PIECE_SIZE) await send();
      }
    } catch (error) {
      if (!(error instanceof UploadBusyError)) await send();
      throw error;
    }
    await send();
    return position;
  }

  async head(location: string, _handle: string, size: number): Promise<Buffer> {
    const bytes: Buffer[] = [];
    for (const piece of await this.#pieces(location))
      if (piece.start < size) bytes.push(await buffer(await this.bucket.read(piece.location)));
    return Buffer.concat(bytes).subarray(0, size);
  }

  async finish(location: string): Promise<void> {
    const directory = piecesAt(location);
    const sources = await this.#pieces(location);
    // Asked after the pieces: whoever removes them removes this first. So these are all.
    const isOpen = await this.bucket.stat(directory + BEGUN);
    if (!isOpen && !(await this.bucket.stat(location))) throw new Error('the upload was given up');
    await publishJoined(this.bucket, { sources, to: location, directory });
  }

  async abort(location: string): Promise<void> {
    await this.bucket.remove(piecesAt(location) + BEGUN);
    await this.bucket.removeBelow(piecesAt(location));
  }

  /** Without a gap: what is behind one came of a request that was overtaken by a removal. */
  async #pieces(location: string): Promise<Piece[]> {
    const directory = piecesAt(location);
    const pieces: Piece[] = [];
    let end = 0;
    for await (const found of this.bucket.below(directory)) {
      if (found.location !== pieceAt(location, end)) continue;
      pieces.push({ ...found, start: end });
      end += found.size;
    }
    return pieces;
  }

  async #put(location: string, bytes: Buffer): Promise<void> {
    await this.bucket.create(location, (creation) => this.bucket.put(location, bytes, creation));
  }
}

function piecesAt(location: string): string {
  return `${GCS_APPENDED}${locationKey(location)}/`;
}

function pieceAt(location: string, position: number): string {
  return `${piecesAt(location)}${String(position).padStart(DIGITS, '0')}`;
}
