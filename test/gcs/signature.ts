import { createHash, createVerify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const MINUTE = 60_000;
const WEEK = 7 * 24 * 3600;

/** The account whose key signs. */
export interface Signer {
  email: string;
  publicKey: KeyObject;
}

/**
 * Why Google would refuse a signed request; `undefined` where it is right. As documented at
 * https://cloud.google.com/storage/docs/authentication/canonical-requests and …/authentication/signatures.
 */
export function refusalOf({ method, url: target = '', headers }: IncomingMessage, signer: Signer): string | undefined {
  const { pathname, searchParams } = new URL(target, 'http://host');
  const get = (name: string): string => searchParams.get(`X-Goog-${name}`) ?? '';
  const [date, expires, signedHeaders] = [get('Date'), Number(get('Expires')), get('SignedHeaders')];
  const scope = `${date.slice(0, 8)}/auto/storage/goog4_request`;
  if (get('Algorithm') !== 'GOOG4-RSA-SHA256') return 'the algorithm is unknown';
  if (get('Credential') !== `${signer.email}/${scope}`) return 'the credential is unknown';
  if (!(expires > 0 && expires <= WEEK)) return 'it is to be valid for longer than a week';
  if (!signedHeaders.split(';').includes('host')) return 'the host is not signed';

  const query = [...searchParams]
    .filter(([name]) => name !== 'X-Goog-Signature')
    .map(([name, value]) => [encoded(name), encoded(value)] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const canonicalHeaders = signedHeaders.split(';').map((name) => `${name}:${valueOf(headers, name)}\n`);
  const path = pathname.split('/').map((segment) => encoded(decodeURIComponent(segment)));
  const request = [
    method,
    path.join('/'),
    query.join('&'),
    canonicalHeaders.join(''),
    signedHeaders,
    'UNSIGNED-PAYLOAD',
  ];
  const hash = createHash('sha256').update(request.join('\n')).digest('hex');
  const toSign = ['GOOG4-RSA-SHA256', date, scope, hash].join('\n');
  const isSigned = createVerify('RSA-SHA256').update(toSign).verify(signer.publicKey, get('Signature'), 'hex');
  if (!isSigned) return `the signature is wrong of ${JSON.stringify(request.join('\n'))}`;

  const from = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Date.now() > from - 15 * MINUTE)) return 'it is not valid yet';
  return Date.now() < from + expires * 1000 ? undefined : 'it has expired';
}

function valueOf(headers: IncomingMessage['headers'], name: string): string {
  const value = String(headers[name] ?? '')
    .trim()
    .replaceAll(/\s{2,}/g, ' ');
  // The client signs the host without its port, which Google's has none of.
  return name === 'host' ? value.replace(/:\d+$/, '') : value;
}

function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
