import type { DirectUpload, UploadedPart } from '../../storage/direct-upload-adapter.js';
import { UploadNotFoundError } from '../../errors/uploads.errors.js';
import type { FileUpload } from './file-upload.entity.js';

/** The storage's side of the upload. An upload that the storage has not begun counts as missing. */
export function begunOf({ id, handle, partSize }: FileUpload): DirectUpload {
  if (handle === null || partSize === null) throw new UploadNotFoundError(id);
  return { handle, partSize };
}

/** How many parts there are; an empty file has one. */
export function partCount(row: FileUpload): number {
  return Math.max(1, Math.ceil(row.size / begunOf(row).partSize));
}

/** How many bytes the part has; the first one is 1. */
export function sizeOfPart(row: FileUpload, number: number): number {
  const { partSize } = begunOf(row);
  return Math.min(partSize, row.size - (number - 1) * partSize);
}

/** The numbers of the parts, the first of which is 1. */
export function partNumbers(row: FileUpload): number[] {
  return Array.from({ length: partCount(row) }, (_, at) => at + 1);
}

/** The numbers of the parts that are not there with all of their bytes. */
export function missingParts(row: FileUpload, parts: readonly UploadedPart[]): number[] {
  const whole = new Set(wholeParts(row, parts));
  return partNumbers(row).filter((number) => !whole.has(number));
}

/** The numbers of the parts that are there with all of their bytes. */
export function wholeParts(row: FileUpload, parts: readonly UploadedPart[]): number[] {
  const count = partCount(row);
  return parts
    .filter(({ number, size }) => number <= count && size === sizeOfPart(row, number))
    .map(({ number }) => number);
}
