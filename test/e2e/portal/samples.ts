/** A PDF of at least so many bytes, different each time. */
export function pdf(size = 2_000): Uint8Array<ArrayBuffer> {
  const header = `%PDF-1.7\n% ${crypto.randomUUID()}\n`;
  return new Uint8Array(Buffer.from(header.padEnd(size, '% filling\n')));
}

/** The smallest picture. */
export const png = new Uint8Array(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  ),
);

export const csv = new Uint8Array(Buffer.from('city,inhabitants\nBasel,177654\n'));

/** A name that nothing has yet. */
export function freshName(what: string): string {
  return `${what}-${crypto.randomUUID()}`;
}
