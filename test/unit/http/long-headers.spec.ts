import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import { discardRest } from '../../../lib/http/form/discard-rest.js';
import { concatIn } from '../../../lib/http/tus/tus-headers.js';
import { growth, LINEAR } from '../../support/growth.js';

const N = 2_000;
// One header is read in too short a time to be measured.
const READINGS = 20;

/** A request that is over, so that only its headers are left to read. */
function emptyRequest(connection: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.httpVersionMajor = request.httpVersionMinor = 1;
  request.headers = { connection };
  request.push(null);
  return request;
}

describe('work for a header is proportional to its length', () => {
  it('discards the rest of a request whose Connection is long and blank', async () => {
    const requests = (count: number) =>
      Array.from({ length: READINGS }, () => emptyRequest(`foo${' '.repeat(count)}bar, close`));
    const discard = (all: IncomingMessage[]) => Promise.all(all.map(discardRest));
    expect(await growth(N, requests, discard)).toBeLessThan(LINEAR);
  });

  it('reads the id in an Upload-Concat behind many slashes', async () => {
    const id = uuidV7();
    const headers = (count: number) => ({ 'upload-concat': `final;${'/'.repeat(count)}${id}` });
    const read = (sent: { 'upload-concat': string }) => {
      for (let reading = 0; reading < READINGS; reading++) expect(concatIn(sent).parts).toEqual([id]);
    };
    expect(await growth(N, headers, read)).toBeLessThan(LINEAR);
  });
});

describe('the address of an upload in Upload-Concat', () => {
  it.each(['/files/tus/', 'https://example.com/files/tus/', ''])('may begin with "%s" and end with slashes', (base) => {
    const [first, second] = [uuidV7(), uuidV7()];
    expect(concatIn({ 'upload-concat': `final;${base}${first}// ${base}${second}` }).parts).toEqual([first, second]);
  });
});

describe('the rest of a request', () => {
  it.each(['close', 'keep-alive, close', 'foo ,close , bar'])(
    'is read to its end before the answer where Connection is "%s"',
    async (connection) => {
      const request = emptyRequest(connection);
      await discardRest(request);
      expect(request.readableEnded).toBe(true);
    },
  );

  it.each(['keep-alive', '', 'closed', 'foo, keep-alive'])(
    'is left to be read after the answer where Connection is "%s"',
    async (connection) => {
      const request = emptyRequest(connection);
      await discardRest(request);
      expect(request.readableEnded).toBe(false);
    },
  );
});
