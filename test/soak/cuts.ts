import type { TcpProxy } from '../support/tcp-proxy.js';
import type { Random } from './random.js';

/** Cuts the application's connections at random statements, now and then all of them at once. */
export class Cuts {
  count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly proxy: TcpProxy,
    private readonly random: Random,
  ) {}

  begin(): void {
    this.#timer = setInterval(() => {
      this.#countFired();
      if (this.random.once(40)) {
        this.count++;
        this.proxy.cutAll();
      }
      this.proxy.arm({ cut: this.random.pick(['before', 'sent', 'reply', 'late']), at: this.random.between(1, 300) });
    }, 700);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#countFired();
    this.proxy.disarm();
  }

  #countFired(): void {
    if (this.proxy.fired) this.count++;
  }
}
