import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { FewAtOnce } from './few-at-once.js';

const deriveKey = promisify<string, Buffer, number, Buffer>(scrypt);
const KEY_LENGTH = 32;

// It occupies a thread of the four that also read and write files: half of them stay free, however many log in.
const derivations = new FewAtOnce(2, 32);

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  derivations.run(() => deriveKey(password, salt, KEY_LENGTH));

/** The password as it may be stored: `salt:key`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt);
  return `${salt.toString('hex')}:${key.toString('hex')}`;
}

export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [salt = '', key = ''] = hash.split(':');
  const derived = await derive(password, Buffer.from(salt, 'hex'));
  return timingSafeEqual(derived, Buffer.from(key, 'hex'));
}
