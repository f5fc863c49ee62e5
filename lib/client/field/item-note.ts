import type { KeyStore } from '../upload-options.js';

/** Notes the id of a direct upload, or the address of one by tus, so that it goes on after a pause. */
export class ItemNote implements KeyStore {
  /** What is noted. */
  id: string | undefined;
  /** Where the page wants it noted, too. */
  further: KeyStore | undefined;
  #key = '';

  /** `changed` is called when something is noted, and when it is no longer. */
  constructor(private readonly changed: () => void) {}

  /** Whether it is noted where it outlives the field. */
  get isKept(): boolean {
    return this.further !== undefined;
  }

  getItem(key: string): string | null {
    const id = this.id ?? this.further?.getItem(key) ?? null;
    if (id !== null) this.#note(key, id);
    return id;
  }

  setItem(key: string, id: string): void {
    this.further?.setItem(key, id);
    this.#note(key, id);
  }

  removeItem(key = this.#key): void {
    this.further?.removeItem(key);
    this.#note(key);
  }

  #note(key: string, id?: string): void {
    [this.#key, this.id] = [key, id];
    this.changed();
  }
}
