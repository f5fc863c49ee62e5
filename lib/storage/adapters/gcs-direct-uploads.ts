import { randomUUID } from 'node:crypto';
import type {
  DirectUpload,
  DirectUploadAdapter,
  PartToSign,
  SignedRequest,
  UploadedPart,
} from '../direct-upload-adapter.js';
import { locationKey } from '../location-key.js';
import type { GcsBucket } from './gcs-bucket.js';
import { publishJoined } from './gcs-join.js';
import { signWrite } from './gcs-signing.js';

/** The path below the prefix to which clients send parts. No file has its location there. */
export const GCS_ARRIVALS = '.nestjs-files/uploads/';

const PART_SIZE = 8 * 1024 * 1024;
const MAX_PARTS = 1024;

/**
 * Uploads that clients send to the bucket. Each part is an object of its own, whose name nobody else knows, and the
 * signature allows to write that one, with the size that was announced. The server composes the parts, of the
 * generations that it has seen, into the object at the location of the file. No signed request leads to that location.
 */
export class GcsDirectUploads implements DirectUploadAdapter {
  constructor(private readonly bucket: GcsBucket) {}

  async begin(_location: string, size: number): Promise<DirectUpload> {
    return { handle: randomUUID(), partSize: Math.max(PART_SIZE, Math.ceil(size / MAX_PARTS)) };
  }

  async sign(location: string, upload: DirectUpload, { number, size, expiresAt }: PartToSign): Promise<SignedRequest> {
    const file = this.bucket.file(partOf(location, upload, number));
    return { method: 'PUT', ...(await signWrite(file, { size, expiresAt })) };
  }

  async parts(location: string, upload: DirectUpload): Promise<UploadedPart[]> {
    const directory = arrivalOf(location, upload);
    const parts: UploadedPart[] = [];
    for await (const { location: part, size, generation } of this.bucket.below(directory)) {
      const number = Number(part.slice(directory.length));
      // The others are joined parts, of a completion that was cut off.
      if (Number.isInteger(number)) parts.push({ number, size, tag: generation });
    }
    return parts.toSorted((one, other) => one.number - other.number);
  }

  async finish(location: string, upload: DirectUpload, parts: readonly UploadedPart[]): Promise<void> {
    const sources = parts.map(({ number, tag }) => ({ location: partOf(location, upload, number), generation: tag }));
    await publishJoined(this.bucket, { sources, to: location, directory: arrivalOf(location, upload) });
  }

  async abort(location: string): Promise<void> {
    await this.bucket.removeBelow(arrivalsAt(location));
  }
}

function arrivalsAt(location: string): string {
  return `${GCS_ARRIVALS}${locationKey(location)}/`;
}

function arrivalOf(location: string, { handle }: DirectUpload): string {
  return `${arrivalsAt(location)}${handle}/`;
}

function partOf(location: string, upload: DirectUpload, number: number): string {
  return arrivalOf(location, upload) + String(number);
}
