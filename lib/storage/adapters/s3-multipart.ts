import { ListMultipartUploadsCommand, ListPartsCommand } from '@aws-sdk/client-s3';
import type { MultipartUpload, Part } from '@aws-sdk/client-s3';
import type { S3Bucket } from './s3-bucket.js';
import { answerTo } from './s3-fault.js';

// Few enough for a test to make more.
const UPLOADS_PER_PAGE = 100;

/** A multipart upload that has not ended. */
export interface OpenUpload extends MultipartUpload {
  Bucket: string;
  Key: string;
  UploadId: string;
}

/** The parts of an upload, by their numbers; 404 where it has ended. */
export async function* partsOf(bucket: S3Bucket, location: string, UploadId: string): AsyncGenerator<Part, void> {
  for (let PartNumberMarker: string | undefined; ;) {
    const upload = { ...bucket.at(location), UploadId, PartNumberMarker };
    const page = await answerTo(bucket.client.send(new ListPartsCommand(upload)));
    yield* page.Parts ?? [];
    if (!page.IsTruncated) return;
    PartNumberMarker = page.NextPartNumberMarker;
  }
}

/** The uploads whose locations begin with this text; all of them with none. */
export async function* uploadsBelow({ client, name, prefix }: S3Bucket, start = ''): AsyncGenerator<OpenUpload, void> {
  for (let KeyMarker: string | undefined, UploadIdMarker: string | undefined; ;) {
    const asked = {
      Bucket: name,
      Prefix: prefix + start,
      KeyMarker,
      UploadIdMarker,
      MaxUploads: UPLOADS_PER_PAGE,
    };
    const page = await answerTo(client.send(new ListMultipartUploadsCommand(asked)));
    for (const upload of page.Uploads ?? []) {
      const { Key, UploadId } = upload;
      if (Key !== undefined && UploadId !== undefined) yield { ...upload, Bucket: name, Key, UploadId };
    }
    if (!page.IsTruncated) return;
    [KeyMarker, UploadIdMarker] = [page.NextKeyMarker, page.NextUploadIdMarker];
  }
}
