import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Actor } from '../actor/actor.js';

/** The purpose of a link: to save the file, or to show it where its type allows that. */
export type LinkPurpose = 'download' | 'inline';

/** The content of a token. */
export interface LinkPayload {
  fileId: string;
  purpose: LinkPurpose;
  expiresAt: Date;
  /** The row that a one-time link uses up. */
  linkId: string | undefined;
}

// Signatures of links are worthless for other uses of the secret.
const DOMAIN = 'nestjs-files:link:1\0';
/** In the order of their numbers in tokens. */
export const LINK_PURPOSES: readonly LinkPurpose[] = ['download', 'inline'];

const ONE_TIME = 0x80;
const BOUND = 0x40;
const EXPIRES_AT = 1;
const FILE_ID = 7;
const LINK_ID = 23;
const SIGNATURE_BYTES = 32;

/**
 * The payload and its HMAC-SHA-256, in base64url. The actor is signed, too, but is not part of the token, which does
 * not reveal for whom it is. At most 96 characters: Fastify's routes take parameters of 100.
 */
export function signLink(payload: LinkPayload, actor: Actor | null, secret: string): string {
  const { fileId, purpose, expiresAt, linkId } = payload;
  const head = Buffer.alloc(FILE_ID);
  const flags = (linkId === undefined ? 0 : ONE_TIME) | (actor === null ? 0 : BOUND);
  head.writeUInt8(flags | LINK_PURPOSES.indexOf(purpose), 0);
  head.writeUIntBE(expiresAt.getTime(), EXPIRES_AT, 6);
  const body = Buffer.concat([head, uuidBytes(fileId), linkId === undefined ? Buffer.alloc(0) : uuidBytes(linkId)]);
  return Buffer.concat([body, signature(body, actor, secret)]).toString('base64url');
}

/**
 * The payload of a token that one of the secrets has signed for this actor, or for everybody; `undefined` for all
 * others.
 */
export function verifyLink(token: string, actor: Actor | null, secrets: readonly string[]): LinkPayload | undefined {
  const bytes = Buffer.from(token, 'base64url');
  // Node skips invalid base64url characters, so that one token would have many spellings.
  if (bytes.toString('base64url') !== token) return undefined;
  const [flags = 0] = bytes;
  const length = (flags & ONE_TIME) === 0 ? LINK_ID : LINK_ID + 16;
  if (bytes.length !== length + SIGNATURE_BYTES) return undefined;
  const body = bytes.subarray(0, length);
  const isBound = (flags & BOUND) !== 0;
  if (isBound && actor === null) return undefined;
  const signer = isBound ? actor : null;
  const given = bytes.subarray(length);
  if (!secrets.some((secret) => timingSafeEqual(signature(body, signer, secret), given))) return undefined;
  const purpose = LINK_PURPOSES[flags & ~(ONE_TIME | BOUND)];
  if (purpose === undefined) return undefined;
  return {
    fileId: uuidText(body.subarray(FILE_ID, LINK_ID)),
    purpose,
    expiresAt: new Date(body.readUIntBE(EXPIRES_AT, 6)),
    linkId: length === LINK_ID ? undefined : uuidText(body.subarray(LINK_ID)),
  };
}

/** Whether the token says, rightly or not, that only one actor may use it. */
export function isBoundLink(token: string): boolean {
  return ((Buffer.from(token.slice(0, 2), 'base64url')[0] ?? 0) & BOUND) !== 0;
}

function signature(body: Buffer, actor: Actor | null, secret: string): Buffer {
  const bound = actor === null ? '' : JSON.stringify([actor.type, actor.id]);
  return createHmac('sha256', secret).update(DOMAIN).update(body).update(bound).digest();
}

function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
