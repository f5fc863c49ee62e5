import type { CompletedPart } from '@aws-sdk/client-s3';
import type { UploadedPart } from '../direct-upload-adapter.js';

type S3Checksums = Omit<CompletedPart, 'PartNumber' | 'ETag'>;

/** A part, with the checksums that the server was given: it wants to see them again when the upload is completed. */
export interface S3Part extends UploadedPart {
  checksums?: S3Checksums;
}

/** The checksums in the server's answer about a part. */
export function checksumsIn(answer: S3Checksums): S3Checksums {
  const { ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 } = answer;
  return { ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 };
}

/** The part of this number and size that the server's answer is about. */
export function partIn(answer: S3Checksums & { ETag?: string | undefined }, number: number, size: number): S3Part {
  return { number, size, tag: answer.ETag ?? '', checksums: checksumsIn(answer) };
}

/** As the completion of an upload names it. */
export function completedPart({ number, tag, checksums }: S3Part): CompletedPart {
  return { PartNumber: number, ETag: tag, ...checksums };
}
