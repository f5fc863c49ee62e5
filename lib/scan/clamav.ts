/** @module nestjs-files/scan/clamav */

import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { ScannerFailedError } from '../errors/files.errors.js';
import { StorageOptionInvalidError } from '../errors/setup.errors.js';
import { parseByteSize } from '../storage/byte-size.js';
import type { FileScanner, ScanContext, ScanVerdict } from '../storage/file-scanner.js';
import { LONGEST_TIMER } from '../unit-of-work/ends-within.js';

/** Where clamd listens, and what it takes: `{ socket: '/run/clamav/clamd.ctl' }`, or `{ host: 'clamav' }`. */
export interface ClamavOptions {
  /** The host. */
  host?: string;
  /** The port on the host. @default 3310 */
  port?: number;
  /** The path of a Unix socket, in place of host and port. */
  socket?: string;
  /**
   * The largest content: the smallest of clamd's `StreamMaxLength`, `MaxFileSize` and `MaxScanSize`. Without a limit,
   * clamd calls content clean that it has not looked at. @default '25MiB', as in the clamd.conf of Debian
   */
  maxSize?: number | string;
  /** Milliseconds until the connection has to stand. @default 10_000 */
  connectTimeout?: number;
  /** Milliseconds in which clamd has to take a part of the content, or to answer after its end. @default 120_000 */
  idleTimeout?: number;
}

const NAME = 'clamav';
const MAX_REPLY = 4096;
// What is waiting for the connection is in memory.
const PIECE = 64 * 1024;
const CLEAN = 'stream: OK';
const FOUND = /^stream: (.+) FOUND$/;
// With `AlertExceedsMax`, clamd says so of content that it has not read as a whole.
const NOT_READ = 'Heuristics.Limits.Exceeded';

/**
 * Scans with ClamAV, by its daemon clamd. Content is streamed, and only the answer `stream: OK` is clean.
 * @example fsStorage({ root: 'var/files', scan: clamav({ host: '127.0.0.1' }) })
 */
export function clamav(options: ClamavOptions): FileScanner {
  const checked = readOptions(options);
  return {
    name: NAME,
    maxSize: checked.maxSize,
    scan: async (content, context) => verdictOf(await ask(checked, content, context)),
    ping: (signal) => ping(checked, signal),
  };
}

type Checked = Required<Pick<ClamavOptions, 'connectTimeout' | 'idleTimeout'>> & {
  readonly address: { path: string } | { host: string; port: number };
  readonly maxSize: number;
};

function readOptions(options: ClamavOptions): Checked {
  const { host, port = 3310, socket, maxSize = '25MiB', connectTimeout = 10_000, idleTimeout = 120_000 } = options;
  if ((host === undefined) === (socket === undefined))
    throw new StorageOptionInvalidError(
      'scan',
      options,
      "clamav({ host: '…' }) or clamav({ socket: '/…' }), and not both",
    );
  for (const [name, time] of Object.entries({ connectTimeout, idleTimeout }))
    if (!Number.isSafeInteger(time) || time < 1 || time > LONGEST_TIMER)
      throw new StorageOptionInvalidError(`scan.${name}`, time, 'milliseconds above zero');
  const address = socket === undefined ? { host: host as string, port } : { path: socket };
  return { address, maxSize: parseByteSize(maxSize), connectTimeout, idleTimeout };
}

function verdictOf(reply: string): ScanVerdict {
  if (reply === CLEAN) return { clean: true };
  const [, finding] = FOUND.exec(reply) ?? [];
  if (finding !== undefined && !finding.startsWith(NOT_READ)) return { clean: false, finding };
  throw new ScannerFailedError(NAME, `clamd answered ${JSON.stringify(reply)}`);
}

async function ping(options: Checked, signal: AbortSignal): Promise<void> {
  await withConnection(options, signal, async (socket) => {
    const answered = replyOf(socket, options);
    socket.write('zPING\0');
    const reply = await answered;
    if (reply !== 'PONG') throw new ScannerFailedError(NAME, `clamd answered ${JSON.stringify(reply)} to PING`);
  });
}

/** Sends the content, and gives the answer: https://docs.clamav.net/manual/Usage/Scanning.html#clamd */
async function ask(options: Checked, content: Readable, { signal }: ScanContext): Promise<string> {
  try {
    return await withConnection(options, signal, (socket) => exchange(socket, options, content));
  } finally {
    content.destroy();
  }
}

/** Connects for as long as the work takes. */
async function withConnection<T>(
  { address }: Checked,
  signal: AbortSignal,
  work: (socket: Socket) => Promise<T>,
): Promise<T> {
  const socket = connect(address);
  const end = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await work(socket);
  } finally {
    signal.removeEventListener('abort', end);
    socket.destroy();
  }
}

async function exchange(socket: Socket, options: Checked, content: Readable): Promise<string> {
  const over = new AbortController();
  // Stops sending even if clamd refuses before it has all of the content.
  const reply = replyOf(socket, options).finally(() => over.abort());
  const sent = send(socket, content, over.signal).catch((error: unknown) => {
    socket.destroy(error as Error);
    throw error;
  });
  // The reply tells more than the connection that it has closed.
  await Promise.race([sent.catch(() => reply), reply]);
  const isSent = await Promise.race([sent.then(() => true), reply.then(() => false)]).catch(() => false);
  const text = await reply;
  // An answer to a part says nothing of the whole, unless it has found something.
  if (isSent || text !== CLEAN) return text;
  throw new ScannerFailedError(NAME, 'clamd answered before it had all of the content');
}

/** `zINSTREAM`, then parts, each after its length in four bytes; a length of zero ends them. */
async function send(socket: Socket, content: Readable, over: AbortSignal): Promise<void> {
  await write(socket, Buffer.from('zINSTREAM\0'), over);
  for await (const chunk of content as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      await write(socket, lengthOf(piece.length), over);
      await write(socket, piece, over);
    }
  }
  await write(socket, lengthOf(0), over);
}

async function write(socket: Socket, bytes: Uint8Array, over: AbortSignal): Promise<void> {
  over.throwIfAborted();
  if (!socket.write(bytes)) await once(socket, 'drain', { signal: over });
}

function lengthOf(size: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(size);
  return length;
}

/** What clamd says, until a NUL or the end. Rejects if it says nothing, or not in time. */
function replyOf(socket: Socket, { connectTimeout, idleTimeout }: Checked): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    let fault: Error | undefined;
    const fail = (reason: string, cause?: unknown): void => reject(new ScannerFailedError(NAME, reason, { cause }));
    socket.setTimeout(connectTimeout, () => socket.destroy(new Error('clamd does not answer')));
    socket.once('connect', () => socket.setTimeout(idleTimeout));
    socket.on('error', (error) => (fault = error));
    socket.on('data', (bytes: Buffer) => {
      reply += bytes.toString('latin1');
      if (reply.includes('\0')) resolve(reply.slice(0, reply.indexOf('\0')));
      else if (reply.length > MAX_REPLY) fail('clamd says too much');
    });
    socket.once('close', () => {
      if (fault) fail(`the connection failed: ${fault.message}`, fault);
      else fail(reply === '' ? 'clamd closed the connection' : `clamd said only ${JSON.stringify(reply)}`);
    });
  });
}
