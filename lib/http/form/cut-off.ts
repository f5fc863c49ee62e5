import type { IncomingMessage } from 'node:http';

/**
 * Calls `onCut`, once or more often, where a request goes away before its body was read to the end. What Node has read
 * ahead may be whole even so. The returned function ends it.
 *
 * Only the events tell. On HTTP/2, `complete` is true of a request that was cut off, too, and its body comes to an end
 * like any other; 'aborted' comes before that. On HTTP/1, `complete` is true as soon as the last byte is there. It is
 * never read where the connection is lost then.
 */
export function watchCut(request: IncomingMessage, onCut: () => void): () => void {
  let isOver = false;
  const check = (): void => {
    if (!isOver && !request.readableEnded) onCut();
  };
  // The listener of errors stays: without one, they end the process.
  request.on('aborted', check).on('error', check).on('close', check);
  return () => {
    isOver = true;
    request.off('aborted', check).off('close', check);
  };
}
