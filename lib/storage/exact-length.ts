import { Readable } from 'node:stream';

/**
 * The stream, cut after this many bytes; fails with the fault when it ends before. A response has announced its length:
 * more bytes would be taken for the next response on the connection, and with fewer the next response would be taken
 * for the rest.
 *
 * Nothing is read ahead here, and a failure waits until the bytes before it are taken. So a reader that has the first
 * bytes can send the headers; a later failure happens while the body is sent.
 */
export function exactLength(source: Readable, size: number, fault: () => Error): Readable {
  let left = size;
  let isCut = false;
  let isWanted = false;
  let failure: Error | undefined;
  const exact = new Readable({
    highWaterMark: 1,
    read: () => {
      isWanted = true;
      if (failure) exact.destroy(failure);
      else source.resume();
    },
    destroy: (error, done) => {
      source.destroy();
      done(error);
    },
  });
  const fail = (error: Error): void => {
    if (isCut) return;
    failure ??= error;
    if (isWanted) exact.destroy(failure);
  };
  // Paused first: a listener of data would start the flow before somebody reads.
  source.pause().on('data', (chunk: Uint8Array | string) => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (isCut || bytes.length === 0) return;
    isCut = bytes.length > left;
    const wanted = isCut ? bytes.subarray(0, left) : bytes;
    left -= wanted.length;
    source.pause();
    isWanted = false;
    if (wanted.length > 0) exact.push(wanted);
    if (isCut) exact.push(null);
  });
  source.once('end', () => (left === 0 ? exact.push(null) : fail(fault())));
  source.once('error', fail);
  source.once('close', () => void (source.readableEnded || fail(fault())));
  return exact;
}
