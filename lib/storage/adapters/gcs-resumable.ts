import { buffer } from 'node:stream/consumers';
import { LocationTakenError } from '../../errors/storage.errors.js';
import { locationKey } from '../location-key.js';
import type { ResumableUploadAdapter } from '../resumable-upload-adapter.js';
import type { GcsBucket, GcsObject } from './gcs-bucket.js';
import { publishJoined } from './gcs-join.js';
import { sendInPieces } from './send-in-pieces.js';

/** The directory of unfinished uploads, below the bucket's prefix. No file has its location there. */
export const GCS_APPENDED = '.nestjs-files/appended/';

const PIECE_SIZE = 8 * 1024 * 1024;
// The digits of a byte position in an object's name. Google lists names as texts, so positions are padded with zeros.
const DIGITS = 16;
const BEGUN = 'begun';

interface Piece extends GcsObject {
  location: string;
  start: number;
}

/**
 * Uploads of several requests. The bytes of a request become one or more pieces: objects of at most 8 MiB. The name of
 * a piece is the position of its first byte. A piece is created only if no object has its name. So if two requests
 * append at the same position, only one succeeds. The pieces are composed when the upload is complete. Google's
 * resumable sessions are not used: they accept only multiples of 256 KiB, and their bytes cannot be read before the
 * end.
 */
export class GcsResumableUploads implements ResumableUploadAdapter {
  constructor(private readonly bucket: GcsBucket) {}

  async begin(location: string): Promise<string> {
    const directory = piecesAt(location);
    // The object `begun` exists until the upload ends. So an upload without bytes is not taken for a finished one.
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
    let position = offset;
    await sendInPieces(content, PIECE_SIZE, async (piece) => {
      await this.#put(pieceAt(location, position), piece).catch((error: unknown) => {
        if (!(error instanceof LocationTakenError)) throw error;
        throw new Error(`another request has appended at byte ${position}`, { cause: error });
      });
      position += piece.length;
    });
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
    // Checked after the pieces were listed. `abort()` removes `begun` before the pieces, so if `begun` still exists,
    // the list is complete.
    const isOpen = await this.bucket.stat(directory + BEGUN);
    if (!isOpen && !(await this.bucket.stat(location))) throw new Error('the upload was given up');
    await publishJoined(this.bucket, { sources, to: location, directory });
  }

  async abort(location: string): Promise<void> {
    await this.bucket.remove(piecesAt(location) + BEGUN);
    await this.bucket.removeBelow(piecesAt(location));
  }

  /**
   * The pieces up to the first gap. A piece after a gap was written while another call removed the pieces before it.
   */
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
