import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';

/** The parts of the line at level debug, once the work is done. */
export interface TraceLine<T> {
  /** The logger's context. */
  readonly context: string;
  readonly text: (payload: T) => string;
}

/** One kind of work: published on a tracing channel, and logged at debug level. Costs nothing without a listener. */
export class Trace<T extends object> {
  readonly #channel: TracingChannel<unknown, T>;
  readonly #line: TraceLine<T> | undefined;
  #logger: Logger | undefined;

  constructor(name: string, line?: TraceLine<T>) {
    this.#channel = tracingChannel<unknown, T>(name);
    this.#line = line;
  }

  /** Whether anybody listens on the channel. */
  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers;
  }

  /** Whether anybody wants to know: on the channel, or in the log. */
  get isWanted(): boolean {
    return this.hasSubscribers || this.#loggedLine !== undefined;
  }

  get #loggedLine(): TraceLine<T> | undefined {
    return this.#line && Logger.isLevelEnabled('debug') ? this.#line : undefined;
  }

  /** Runs the work. Only with a listener, the payload is made, and passed to the work, which adds to it. */
  run<R>(describe: () => T, work: (payload?: T) => Promise<R>): Promise<R> {
    const { hasSubscribers } = this;
    const line = this.#loggedLine;
    if (!hasSubscribers && !line) return work();
    const payload = describe();
    const traced = (): Promise<R> =>
      hasSubscribers ? this.#channel.tracePromise(() => work(payload), payload) : work(payload);
    return line ? this.#told(line, payload, traced) : traced();
  }

  /**
   * Tells of something that is done at once; gives the payload as subscribers have left it, or nothing where nobody
   * listens.
   */
  note(describe: () => T): T | undefined {
    if (!this.hasSubscribers) return undefined;
    const payload = describe();
    // With a promise, as all other channels: whoever subscribes to them hears the end of each in one way.
    void this.#channel.tracePromise(() => Promise.resolve(), payload);
    return payload;
  }

  async #told<R>({ context, text }: TraceLine<T>, payload: T, run: () => Promise<R>): Promise<R> {
    const from = performance.now();
    const tell = (end: string): void => {
      this.#logger ??= new Logger(context);
      this.#logger.debug(`${text(payload)} ${end} ${(performance.now() - from).toFixed(1)} ms`);
    };
    try {
      const result = await run();
      tell('in');
      return result;
    } catch (error) {
      tell(`failed (${error instanceof Error ? error.message : String(error)}) after`);
      throw error;
    }
  }
}
