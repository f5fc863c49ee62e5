import { EventEmitter, once } from 'node:events';

/** A request, from its beginning to its answer; times are of this process. */
export interface Call {
  readonly kind: string;
  /** Whether it cannot be done without the bucket. */
  readonly needsBytes: boolean;
  readonly begun: number;
  readonly ended: number;
  /** 0 if there was no answer. */
  readonly status: number;
  /** The replicas that nginx has tried, in their order. */
  readonly upstream: string;
  /** What was answered, for messages. */
  readonly body: string;
}

/** What was killed: from the moment before that to the moment in which it was seen to be gone, or back. */
export interface Fault {
  readonly what: 'replica' | 'database' | 'gateway' | 'deploy';
  /** Of a replica. */
  readonly address?: string;
  readonly from: number;
  to: number;
}

/** All calls of all clients, and what happened meanwhile. */
export class Calls {
  readonly all: Call[] = [];
  readonly faults: Fault[] = [];
  readonly #events = new EventEmitter().setMaxListeners(0);

  add(call: Call): void {
    this.all.push(call);
    this.#events.emit('call');
  }

  /** Resolves when so many more calls that fit have ended. */
  async more(count: number, fits: (call: Call) => boolean = () => true): Promise<void> {
    const from = this.all.length;
    while (this.all.slice(from).filter(fits).length < count) await once(this.#events, 'call');
  }

  /** What happens while the work runs. */
  async during<T>(fault: Omit<Fault, 'from' | 'to'>, work: () => Promise<T>): Promise<T> {
    const noted: Fault = { ...fault, from: performance.now(), to: Infinity };
    this.faults.push(noted);
    try {
      return await work();
    } finally {
      noted.to = performance.now();
    }
  }

  /** Calls that failed on a server, although nothing that they needed was killed while they were in flight. */
  inexcusable(): string[] {
    return this.all
      .filter((call) => call.status === 0 || call.status >= 500)
      .filter((call) => !this.faults.some((fault) => excuses(fault, call)))
      .map(({ kind, status, begun, ended, upstream, body }) => {
        const times = `${begun.toFixed(0)} to ${ended.toFixed(0)}`;
        return `${kind} was answered ${status} by ${upstream}, ${times}: ${body.slice(0, 300)}`;
      });
  }

  /** How many calls failed on servers while this was away. */
  failedDuring(what: Fault['what']): number {
    const those = this.faults.filter((fault) => fault.what === what);
    return this.all.filter((call) => call.status >= 500 && those.some((fault) => excuses(fault, call))).length;
  }
}

function excuses({ what, address, from, to }: Fault, call: Call): boolean {
  if (call.ended < from || call.begun > to) return false;
  if (what === 'replica') return address !== undefined && call.upstream.includes(address);
  return what === 'database' || (what === 'gateway' && call.needsBytes);
}
