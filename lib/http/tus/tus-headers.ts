import type { IncomingHttpHeaders } from 'node:http';
import { getHashes } from 'node:crypto';
import { RequestInvalidError } from '../../errors/requests.errors.js';
import {
  ChecksumInvalidError,
  TusVersionUnknownError,
  UploadStreamExpectedError,
} from '../../errors/uploads.errors.js';
import { normalizeFileId } from '../../files/file-id.js';
import type { ChunkChecksum } from '../../files/resumable/checked-chunk.js';

/** The version of the protocol: https://tus.io/protocols/resumable-upload */
export const TUS_VERSION = '1.0.0';

/** The algorithms of `Upload-Checksum`, as `node:crypto` calls them, too. */
export const TUS_CHECKSUMS = ['sha256', 'sha512', 'sha384', 'sha1', 'md5'].filter((name) => getHashes().includes(name));

const OFFSET_STREAM = 'application/offset+octet-stream';
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// As many as fit into the headers that Node reads.
const MAX_PARTS = 200;

/** One header; of one that was sent several times, the first. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name.toLowerCase()];
  return Array.isArray(value) ? value[0] : value;
}

/** Throws `TusVersionUnknownError`. */
export function assertTusVersion(headers: IncomingHttpHeaders): void {
  const version = headerOf(headers, 'Tus-Resumable');
  if (version !== TUS_VERSION) throw new TusVersionUnknownError(version);
}

/** A header that is a number of bytes; undefined without it. */
export function bytesIn(headers: IncomingHttpHeaders, name: string): number | undefined {
  const value = headerOf(headers, name);
  if (value === undefined) return undefined;
  const bytes = Number(value);
  if (/^\d+$/.test(value) && Number.isSafeInteger(bytes)) return bytes;
  throw invalid(name, `${quoted(value)} is not a number of bytes`);
}

/** The length of a new upload; undefined where the client tells it later. */
export function lengthIn(headers: IncomingHttpHeaders): number | undefined {
  const length = bytesIn(headers, 'Upload-Length');
  const defers = headerOf(headers, 'Upload-Defer-Length');
  if (defers !== undefined && defers !== '1') throw invalid('Upload-Defer-Length', `${quoted(defers)} is not 1`);
  if (length === undefined && defers === undefined)
    throw invalid('Upload-Length', 'it is missing. Send the length, or "Upload-Defer-Length: 1" to tell it later');
  if (length !== undefined && defers !== undefined) throw invalid('Upload-Defer-Length', 'Upload-Length is there, too');
  return length;
}

/** Where the bytes of the request begin. */
export function offsetIn(headers: IncomingHttpHeaders): number {
  const offset = bytesIn(headers, 'Upload-Offset');
  if (offset === undefined) throw invalid('Upload-Offset', 'it is missing');
  return offset;
}

/** Whether the request brings bytes. Throws `UploadStreamExpectedError` for a body of another type. */
export function hasBytes(headers: IncomingHttpHeaders): boolean {
  const type = headerOf(headers, 'Content-Type');
  if (type?.split(';', 1)[0]?.trim().toLowerCase() === OFFSET_STREAM) return true;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (hasBody) throw new UploadStreamExpectedError(type);
  return false;
}

/** The checksum of the request's bytes. Throws `ChecksumInvalidError`. */
export function checksumIn(headers: IncomingHttpHeaders): ChunkChecksum | undefined {
  const value = headerOf(headers, 'Upload-Checksum');
  if (value === undefined) return undefined;
  const [algorithm = '', text = '', ...others] = value.split(' ');
  const size = LENGTHS[algorithm];
  const hash = Buffer.from(text, 'base64');
  const isHash = TUS_CHECKSUMS.includes(algorithm) && others.length === 0 && BASE64.test(text) && hash.length === size;
  if (!isHash) throw new ChecksumInvalidError(value, TUS_CHECKSUMS);
  return { algorithm, hash };
}

// Bytes of the hashes.
const LENGTHS: Readonly<Record<string, number>> = { sha256: 32, sha512: 64, sha384: 48, sha1: 20, md5: 16 };

/** Whether the upload is a part of another one, or consists of uploads with these ids. */
export function concatIn(headers: IncomingHttpHeaders): { isPartial: boolean; parts: string[] | undefined } {
  const value = headerOf(headers, 'Upload-Concat');
  if (value === undefined || value === 'partial') return { isPartial: value === 'partial', parts: undefined };
  const [, urls] = /^final;(.+)$/.exec(value) ?? [];
  const parts = urls?.trim().split(/ +/).map(idIn) ?? [];
  if (parts.length === 0 || parts.length > MAX_PARTS)
    throw invalid('Upload-Concat', `give "partial", or "final;" and the addresses of 1 to ${MAX_PARTS} uploads`);
  if (new Set(parts).size < parts.length) throw invalid('Upload-Concat', 'it names an upload twice');
  return { isPartial: false, parts };
}

/** The id at the end of the address of an upload. */
function idIn(url: string): string {
  const last = url.split(/[?#]/, 1)[0]?.split('/').findLast(Boolean) ?? '';
  const id = normalizeFileId(last);
  if (id === undefined) throw invalid('Upload-Concat', `${quoted(url)} is not the address of an upload`);
  return id;
}

/** Metadata by their keys, as `Upload-Metadata` has them. */
export function metadataIn(headers: IncomingHttpHeaders): ReadonlyMap<string, string> {
  const text = headerOf(headers, 'Upload-Metadata')?.trim() ?? '';
  const found = new Map<string, string>();
  if (text === '') return found;
  for (const pair of text.split(',')) {
    const [key = '', value = '', ...others] = pair.trim().split(' ');
    const isPair = /^[!-~]+$/.test(key) && others.length === 0 && BASE64.test(value);
    if (!isPair) throw invalid('Upload-Metadata', `${quoted(pair)} is not a key and, after a blank, a value in Base64`);
    if (found.has(key)) throw invalid('Upload-Metadata', `it has the key ${quoted(key)} twice`);
    found.set(key, Buffer.from(value, 'base64').toString('utf8'));
  }
  return found;
}

function invalid(header: string, reason: string): RequestInvalidError {
  return new RequestInvalidError(`header ${header}`, [reason]);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
