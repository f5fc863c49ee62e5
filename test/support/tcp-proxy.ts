import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Where a connection breaks, at a statement: `before` it reaches the server; when it was `sent`; when its `reply` is on
 * the way. `late` is as `before`, but the statement reaches the server a while after; `hang` is as `reply`, but the
 * client's connection stays open.
 */
export type Cut = 'before' | 'sent' | 'reply' | 'late' | 'hang';

export interface Plan {
  readonly cut: Cut;
  /** The first statement whose text matches, or the n-th from here, where the first is 1. */
  readonly at: RegExp | number;
  /** Milliseconds, for `late`. @default 200 */
  readonly delay?: number;
  /** Cut all connections then, and refuse those that come. */
  readonly refuse?: boolean;
}

/** A proxy before a database's server that understands enough of its protocol to break connections at a statement. */
export interface TcpProxy {
  readonly port: number;
  /** Statements that went through since `arm()`. */
  readonly statements: readonly string[];
  /** How often a client waited for the server since `arm()`: what it sends together counts once. */
  readonly waits: number;
  /** Whether the plan's statement came. */
  readonly fired: boolean;
  /** Counts from here, and breaks nothing without a plan. */
  arm(plan?: Plan): void;
  /** Lets everything through again. */
  disarm(): void;
  /** Breaks every connection there is. */
  cutAll(): void;
  close(): Promise<void>;
}

/** `isRun` is whether the server runs a statement when it has this message. */
type OnMessage = (message: Buffer, isRun: boolean, sql?: string) => void;

const SSL_REQUEST = 80_877_103;

// https://www.postgresql.org/docs/current/protocol-message-formats.html: type (but for the first message), length, body
function postgresReader(onMessage: OnMessage): (chunk: Buffer) => void {
  let buffer: Buffer = Buffer.alloc(0);
  let started = false;
  const texts = new Map<string, string>();
  return (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (buffer.length < head + 4) return;
      const size = head + buffer.readUInt32BE(head);
      if (buffer.length < size) return;
      const message = buffer.subarray(0, size);
      buffer = buffer.subarray(size);
      const type = started ? String.fromCharCode(message[0]!) : '';
      if (!started) started = message.readUInt32BE(4) !== SSL_REQUEST;
      const name = message.indexOf(0, 5) + 1;
      if (type === 'P') texts.set(textAt(message, 5), textAt(message, name));
      if (type === 'Q') onMessage(message, true, textAt(message, 5));
      // A statement that was prepared before is only bound; the name comes after that of the portal.
      else if (type === 'B') onMessage(message, false, texts.get(textAt(message, name)));
      // Sync is what they run at.
      else onMessage(message, type === 'S');
    }
  };
}

function textAt(message: Buffer, at: number): string {
  return message.toString('utf8', at, message.indexOf(0, at));
}

const COM_QUERY = 0x03;
const COM_STMT_PREPARE = 0x16;

// https://mariadb.com/kb/en/0-packet/: length of the payload (3 bytes), sequence (0 for a command), payload
function mysqlReader(onMessage: OnMessage): (chunk: Buffer) => void {
  let buffer: Buffer = Buffer.alloc(0);
  return (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUIntLE(0, 3)) {
      const size = 4 + buffer.readUIntLE(0, 3);
      const packet = buffer.subarray(0, size);
      buffer = buffer.subarray(size);
      const isQuery = packet[3] === 0 && [COM_QUERY, COM_STMT_PREPARE].includes(packet[4]!);
      onMessage(packet, isQuery, isQuery ? packet.toString('utf8', 5) : undefined);
    }
  };
}

// For a reply to arrive whole at the proxy.
const REPLY_TIME = 3;

export async function tcpProxy(
  kind: 'postgres' | 'mariadb',
  target: { host: string; port: number },
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let statements: string[] = [];
  let waits = 0;
  let plan: Plan | undefined;
  let fired = false;

  const relay = (client: Socket): void => {
    if (fired && plan?.refuse) {
      client.destroy();
      return;
    }
    const upstream = connect(target.port, target.host);
    let muted = false;
    let late: Buffer[] | undefined;
    let onReply: (() => void) | undefined;
    let isSending = false;
    const cut = (): void => {
      muted = true;
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay().on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        if (!muted) cut();
      });
    }
    const cutAsPlanned = (): void => {
      cut();
      if (plan?.refuse) cutAll();
    };
    const breakAt = (message: Buffer, { cut: mode, delay: time = 200 }: Plan): void => {
      if (mode === 'before') return cutAsPlanned();
      if (mode === 'late') {
        muted = true;
        client.destroy();
        // With what belongs to it: a statement is several messages.
        late = [message];
        void delay(time).then(() => upstream.end(Buffer.concat(late ?? [])));
        return;
      }
      onReply = () => {
        onReply = () => undefined;
        void delay(REPLY_TIME).then(() => (mode === 'reply' ? cutAsPlanned() : (muted = true)));
      };
      upstream.write(message);
    };
    const isPlanned = (sql: string): boolean =>
      typeof plan?.at === 'number' ? statements.length === plan.at : plan?.at.test(sql) === true;
    const onMessage: OnMessage = (message, isRun, sql) => {
      late?.push(message);
      if (muted) return;
      if (sql !== undefined) statements.push(sql);
      if (isRun) waits++;
      if (sql !== undefined && plan && !fired && isPlanned(sql)) {
        fired = true;
        if (plan.cut !== 'sent') return breakAt(message, plan);
        isSending = true;
      }
      const isCut = isSending && isRun;
      upstream.write(message, () => isCut && setImmediate(cutAsPlanned));
    };
    client.on('data', kind === 'postgres' ? postgresReader(onMessage) : mysqlReader(onMessage));
    upstream.on('data', (chunk) => {
      if (onReply) onReply();
      else if (!muted) client.write(chunk);
    });
  };

  const server = createServer(relay);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get statements() {
      return statements;
    },
    get waits() {
      return waits;
    },
    get fired() {
      return fired;
    },
    arm(next) {
      [plan, fired, statements, waits] = [next, false, [], 0];
    },
    disarm() {
      [plan, fired] = [undefined, false];
    },
    cutAll,
    close: async () => {
      cutAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
