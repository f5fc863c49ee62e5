import type { IncomingHttpHeaders } from 'node:http';
import fresh from 'fresh';
import { PreconditionFailedError } from '../../errors/requests.errors.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { validatorHeaders, type Validators, validatorsOf } from '../routes/validators.js';

export interface ConditionalRequest {
  method?: string | undefined;
  headers: IncomingHttpHeaders;
}

/** `unmodified`: the client has the current content. `failed`: the client must not go on. */
export type PreconditionResult = 'met' | 'unmodified' | 'failed';

/**
 * The result of the request's conditions, checked in the order of https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
 */
export function evaluatePreconditions(
  { method, headers }: ConditionalRequest,
  current: Validators,
): PreconditionResult {
  const isRead = method === 'GET' || method === 'HEAD';
  if (!isExpected(headers, current)) return 'failed';
  if (!isKnown(headers, current, isRead)) return 'met';
  return isRead ? 'unmodified' : 'failed';
}

/** Throws `PreconditionFailedError` unless the request's conditions hold for the file's current content. */
export function assertPreconditions(request: ConditionalRequest, file: ManagedFile): void {
  if (evaluatePreconditions(request, validatorsOf(file)) === 'failed') throw new PreconditionFailedError(file.id);
}

/** Whether `If-Range` matches the current content, so that the client can append the range to the part it has. */
export function isRangeOfCurrent(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const condition = headers['if-range'];
  if (condition === undefined) return true;
  if (String(condition).includes('"')) return String(condition).trim() === etag;
  // Exactly that date: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
  return lastModified !== undefined && parseHttpDate(String(condition)) === lastModified;
}

/** If-Match, else If-Unmodified-Since. */
function isExpected(headers: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean {
  const match = headers['if-match'];
  if (match !== undefined) return match.trim() === '*' || entityTags(match).includes(etag);
  const since = parseHttpDate(headers['if-unmodified-since']);
  if (since === undefined) return true;
  // The time of a replacement within one second lies ahead. No client has been told it: it names an earlier one.
  return lastModified !== undefined && lastModified <= since;
}

/** If-None-Match, else, for reading, If-Modified-Since. */
function isKnown(headers: IncomingHttpHeaders, current: Validators, isRead: boolean): boolean {
  const noneMatch = headers['if-none-match'];
  const since = isRead && noneMatch === undefined ? parseHttpDate(headers['if-modified-since']) : undefined;
  // Without `Cache-Control`: its `no-cache` makes caches ask here, and is no reason to send content that the client
  // has.
  const conditions = {
    'if-none-match': noneMatch?.trim(),
    'if-modified-since': since === undefined ? undefined : new Date(since).toUTCString(),
  };
  const { ETag: etag, 'Last-Modified': lastModified } = validatorHeaders(current);
  return fresh(conditions, { etag, 'last-modified': lastModified });
}

function entityTags(list: string): string[] {
  return list.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = String.raw`\d{2}:\d{2}:\d{2}`;

// The three formats that recipients must accept: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
const FIXED = new RegExp(String.raw`^${DAY}, \d{2} ${MONTH} \d{4} ${TIME} GMT$`);
const RFC_850 = new RegExp(String.raw`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{2}-${MONTH}-\d{2} ${TIME} GMT$`);
const ASCTIME = new RegExp(String.raw`^${DAY} ${MONTH} [ \d]\d ${TIME} \d{4}$`);

/** The instant in epoch milliseconds; `undefined` if the text is not an HTTP date. `Date.parse` accepts more. */
export function parseHttpDate(value: string | undefined): number | undefined {
  const text = value?.trim() ?? '';
  const zoned = ASCTIME.test(text) ? `${text} GMT` : FIXED.test(text) || RFC_850.test(text) ? text : '';
  const time = Date.parse(zoned);
  return Number.isNaN(time) ? undefined : time;
}
