/// <reference lib="dom" />
import type { KeyStore } from '../upload-options.js';
import type { FieldTexts } from './field-texts.js';

/** What happens to a file of the field. */
export type ItemState = 'waiting' | 'sending' | 'paused' | 'failed' | 'done';

/** What a user can do with a file of the field. */
export type ItemAction = 'pause' | 'resume' | 'retry' | 'cancel' | 'remove';

const ACTIONS: Readonly<Record<ItemState, readonly ItemAction[]>> = {
  waiting: ['cancel'],
  sending: ['pause', 'cancel'],
  paused: ['resume', 'cancel'],
  failed: ['retry', 'cancel'],
  done: ['remove'],
};

/** A file of the field, from when it was picked, and its row. */
export class FieldItem {
  readonly row = make('li', {}, 'item');
  /** Ends the present upload. */
  stop = new AbortController();
  /** Notes the id of a direct upload, so that it goes on after a pause. */
  readonly note: KeyStore & { id?: string } = {
    getItem: () => this.note.id ?? null,
    setItem: (_, id) => (this.note.id = id),
    removeItem: () => delete this.note.id,
  };
  id: string | undefined;
  problem = '';
  #state: ItemState = 'waiting';
  #isDisabled = false;
  readonly #name: HTMLElement;
  readonly #progress = make('progress', { max: 1, value: 0 }, 'progress');
  readonly #status = make('span', {}, 'status');
  readonly #actions = make('span', {}, 'actions');

  constructor(
    /** As people see it. */
    public name: string,
    readonly file: File | undefined,
    private readonly text: (key: keyof FieldTexts) => string,
    private readonly act: (item: FieldItem, action: ItemAction) => void,
  ) {
    this.#name = make('span', { textContent: name }, 'name');
    this.row.append(this.#name, this.#progress, this.#status, this.#actions);
    if (file?.type.startsWith('image/')) this.illustrate(URL.createObjectURL(file));
  }

  get state(): ItemState {
    return this.#state;
  }

  /**
   * Shows the state, and the buttons that go with it. The focus stays at the first of them if it was at one of those
   * before.
   */
  become(state: ItemState, problem = ''): void {
    this.#state = state;
    this.problem = problem;
    this.row.dataset['state'] = state;
    this.#progress.hidden = state !== 'sending' && state !== 'paused';
    this.#progress.setAttribute('aria-label', this.name);
    this.#status.textContent = problem || this.text(state);
    const hadFocus = this.#actions.matches(':focus-within');
    this.#actions.replaceChildren(...ACTIONS[state].map((action) => this.#button(action)));
    if (hadFocus) this.#actions.querySelector('button')?.focus();
  }

  /** Whether nobody can press its buttons. */
  set disabled(isDisabled: boolean) {
    this.#isDisabled = isDisabled;
    for (const button of this.#actions.querySelectorAll('button')) button.disabled = isDisabled;
  }

  /** So much of it is sent, from 0 to 1. */
  progressed(part: number): void {
    this.#progress.value = part;
  }

  rename(name: string): void {
    this.name = name;
    this.#name.textContent = name;
    this.become(this.#state, this.problem);
  }

  illustrate(src: string): void {
    const image = make('img', { alt: '', src }, 'thumbnail');
    image.addEventListener('load', () => URL.revokeObjectURL(src), { once: true });
    image.addEventListener('error', () => image.remove(), { once: true });
    this.row.prepend(image);
  }

  #button(action: ItemAction): HTMLButtonElement {
    const button = make(
      'button',
      { type: 'button', textContent: this.text(action), disabled: this.#isDisabled },
      'action',
    );
    button.setAttribute('aria-label', `${this.text(action)}: ${this.name}`);
    button.addEventListener('click', () => this.act(this, action));
    return button;
  }
}

/** An element with these properties, and a part that style sheets of the page can reach. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
  part?: string,
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  if (part) element.setAttribute('part', part);
  return element;
}
