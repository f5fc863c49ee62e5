import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBoundLink, LINK_PURPOSES, signLink, verifyLink } from '../../../lib/links/link-token.js';
import type { LinkPayload } from '../../../lib/links/link-token.js';

const SECRET = 'a secret that is long enough for it';
const OTHER = 'another secret, long enough for it';
const anna = { type: 'user', id: 'anna' };

const uuid = fc.uuid();
const claims: fc.Arbitrary<LinkPayload> = fc.record({
  fileId: uuid,
  purpose: fc.constantFrom(...LINK_PURPOSES),
  expiresAt: fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((time) => new Date(time)),
  linkId: fc.option(uuid, { nil: undefined }),
});
const actor = fc.option(fc.record({ type: fc.string(), id: fc.string() }), { nil: null });

describe('a token', () => {
  it('carries the file, the actor and the expiry, and fits into a route of Fastify', () => {
    fc.assert(
      fc.property(claims, actor, (said, forWhom) => {
        const token = signLink(said, forWhom, SECRET);
        expect(verifyLink(token, forWhom, [OTHER, SECRET])).toEqual(said);
        expect(isBoundLink(token)).toBe(forWhom !== null);
        expect(token).toMatch(/^[\w-]{1,96}$/);
      }),
    );
  });

  it('is refused when any bit of it is changed', () => {
    fc.assert(
      fc.property(claims, actor, fc.nat(), (said, forWhom, at) => {
        const bytes = Buffer.from(signLink(said, forWhom, SECRET), 'base64url');
        const bit = at % (bytes.length * 8);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(verifyLink(bytes.toString('base64url'), forWhom, [SECRET])).toBeUndefined();
      }),
    );
  });

  it('has one spelling', () => {
    const said: LinkPayload = {
      fileId: '0193b3a0-0000-7000-8000-0000000000ff',
      purpose: 'inline',
      expiresAt: new Date(2_000_000_000_000),
      linkId: undefined,
    };
    const token = signLink(said, null, SECRET);
    expect(verifyLink(token, null, [SECRET])).toEqual(said);
    for (const other of [`${token}=`, `${token} `, ` ${token}`, `${token.slice(0, 9)}.${token.slice(9)}`, '', 'A'])
      expect(verifyLink(other, null, [SECRET])).toBeUndefined();
  });

  it('works for one actor only when it was made for one', () => {
    fc.assert(
      fc.property(claims, (said) => {
        const token = signLink(said, anna, SECRET);
        for (const other of [null, { type: 'user', id: 'ben' }, { type: 'usera', id: 'nna' }])
          expect(verifyLink(token, other, [SECRET])).toBeUndefined();
        expect(verifyLink(signLink(said, null, SECRET), anna, [SECRET])).toEqual(said);
      }),
    );
  });

  it('needs one of the secrets', () => {
    fc.assert(
      fc.property(claims, actor, (said, forWhom) => {
        expect(verifyLink(signLink(said, forWhom, SECRET), forWhom, [OTHER])).toBeUndefined();
        expect(verifyLink(signLink(said, forWhom, SECRET), forWhom, [])).toBeUndefined();
      }),
    );
  });

  it('is refused without a throw, whatever its text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
        ),
        (text) => {
          expect(verifyLink(text, anna, [SECRET])).toBeUndefined();
        },
      ),
    );
  });
});
