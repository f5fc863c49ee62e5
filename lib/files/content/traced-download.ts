import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type DownloadTrace, downloadTrace } from '../../diagnostics/traces.js';

/** Opens the stream, and traces it until it is closed. */
export function tracedDownload(trace: DownloadTrace, open: () => Promise<Readable>): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const download = downloadTrace.run(
      () => trace,
      async () => {
        const stream = await open();
        resolve(stream);
        await finished(stream, { writable: false });
      },
    );
    // Once it is open, its errors are the reader's.
    download.catch(reject);
  });
}
