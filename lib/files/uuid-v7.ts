import { randomBytes } from 'node:crypto';

const MAX_COUNTER = 0xfff;
let lastTime = 0;
let counter = 0;

/** A time-ordered UUID (RFC 9562, version 7). Each one made by this process is greater than those before it. */
export function uuidV7(): string {
  const now = Date.now();
  if (now > lastTime) [lastTime, counter] = [now, 0];
  else if (++counter > MAX_COUNTER) [lastTime, counter] = [lastTime + 1, 0];
  const bytes = randomBytes(16);
  bytes.writeUIntBE(lastTime, 0, 6);
  bytes.writeUInt16BE(0x7000 | counter, 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
