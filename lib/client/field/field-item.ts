/// <reference lib="dom" />
import type { FieldTexts } from './field-texts.js';
import { ItemNote } from './item-note.js';

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
  /** What it needs to go on after a pause. Without it, there is none. */
  readonly note = new ItemNote(() => this.#showActions());
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

  /** Shows the state, and the buttons that go with it. */
  become(state: ItemState, problem = ''): void {
    this.#state = state;
    this.problem = problem;
    this.row.dataset['state'] = state;
    this.#progress.hidden = state !== 'sending' && state !== 'paused';
    this.#progress.setAttribute('aria-label', this.name);
    this.#status.textContent = problem || this.text(state);
    this.#showActions();
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
    const release = (): void => URL.revokeObjectURL(src);
    image.addEventListener('load', release, { once: true });
    image.addEventListener('error', () => (release(), image.remove()), { once: true });
    this.row.prepend(image);
  }

  /** The focus stays at the same button if it was there, else at the first one if it was at another. */
  #showActions(): void {
    const focused = this.#actions.querySelector<HTMLElement>(':focus')?.dataset['action'];
    const actions = ACTIONS[this.#state].filter((action) => action !== 'pause' || this.note.id !== undefined);
    const buttons = actions.map((action) => this.#button(action));
    this.#actions.replaceChildren(...buttons);
    if (focused) (buttons.find(({ dataset }) => dataset['action'] === focused) ?? buttons[0])?.focus();
  }

  #button(action: ItemAction): HTMLButtonElement {
    const button = make(
      'button',
      { type: 'button', textContent: this.text(action), disabled: this.#isDisabled },
      'action',
    );
    button.dataset['action'] = action;
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
