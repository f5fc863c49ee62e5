import { connect } from 'node:net';
import type { Socket } from 'node:net';

const PATIENCE = 10_000;

/**
 * A connection that sends what it is given, byte by byte as it is, and tells the status of the answer. It is opened
 * again when it was closed.
 */
export class HttpWire {
  #socket: Socket | undefined;

  constructor(private readonly port: number) {}

  /** The status; `undefined` when the connection was closed without an answer. Rejects when nothing happens at all. */
  async send(request: Buffer, { isHead = false, isLast = false } = {}): Promise<number | undefined> {
    const socket = (this.#socket ??= connect(this.port, '127.0.0.1'));
    const answer = this.#answer(socket, isHead);
    socket.write(request);
    if (isLast) socket.end();
    const { status, isOver } = await answer;
    if (isOver || isLast) this.close();
    return status;
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #answer(socket: Socket, isHead: boolean): Promise<{ status: number | undefined; isOver: boolean }> {
    return new Promise((resolve, reject) => {
      let seen = '';
      const finish = (status: number | undefined, isOver: boolean): void => {
        clearTimeout(timer);
        socket.removeAllListeners().on('error', () => {});
        resolve({ status, isOver });
      };
      const timer = setTimeout(() => {
        this.close();
        reject(new Error(`No answer after ${PATIENCE} ms; what came is ${JSON.stringify(seen.slice(0, 200))}`));
      }, PATIENCE);
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1');
        const answer = readAnswer(seen, isHead);
        if (answer) finish(answer.status, answer.isOver);
      });
      const closed = (): void => finish(statusOf(seen), true);
      socket.on('error', closed).on('close', closed);
    });
  }
}

function statusOf(text: string): number | undefined {
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  return status === undefined ? undefined : Number(status);
}

/** The answer, once all of it has come. */
function readAnswer(text: string, isHead: boolean): { status: number; isOver: boolean } | undefined {
  const end = text.indexOf('\r\n\r\n');
  const status = statusOf(text);
  if (end < 0 || status === undefined) return undefined;
  if (status < 200) return readAnswer(text.slice(end + 4), isHead);
  const head = text.slice(0, end).toLowerCase();
  const isOver = head.includes('\r\nconnection: close');
  const body = text.slice(end + 4);
  const [, length] = /\r\ncontent-length: (\d+)/.exec(head) ?? [];
  if (isHead || status === 204 || status === 304 || Number(length) <= body.length) return { status, isOver };
  if (head.includes('transfer-encoding: chunked') && body.endsWith('0\r\n\r\n')) return { status, isOver };
  return undefined;
}
