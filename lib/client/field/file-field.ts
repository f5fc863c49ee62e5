/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The element `<file-field>`, which is defined when this module is loaded.
 * @module nestjs-files/file-field
 */
import type { UploadOptions } from '../upload-options.js';
import { accepts } from './accepts.js';
import { describeFiles } from './describe-file.js';
import { discard } from './discard.js';
import { FieldItem } from './field-item.js';
import type { ItemAction } from './field-item.js';
import { fieldTexts } from './field-texts.js';
import type { FieldTexts } from './field-texts.js';
import { validityOf } from './field-validity.js';
import { fieldView } from './field-view.js';
import { optionsOf } from './field-options.js';
import { FormField } from './form-field.js';
import { takeOwnProperties } from './own-properties.js';
import { sendItem } from './send-item.js';
import { takeFiles } from './take-files.js';

export { fieldTexts } from './field-texts.js';
export type { FieldTexts } from './field-texts.js';
export type { KeyStore, TusLibrary, UploadOptions, UploadWay } from '../upload-options.js';

/**
 * A field of a form that uploads files, and whose value is the id of the file; with `multiple`, the form gets one value
 * for each file, in their order. Attributes: `name`, `label`, `multiple`, `accept`, `required`, `disabled`, `endpoint`,
 * `storage`, `value`. It fires `input` and `change` when its value has changed.
 * @example <file-field name="attachmentId" label="Attachment" accept="image/*" required></file-field>
 */
export class FileFieldElement extends FormField {
  /** @internal */
  static readonly observedAttributes = ['name', 'label', 'multiple', 'accept', 'required', 'disabled', 'value'];

  readonly #view = fieldView(this);
  #uploadOptions: UploadOptions = {};
  #texts: Partial<FieldTexts> = {};
  #items: FieldItem[] = [];
  #isSending = false;
  #isAsking = false;
  #problem = '';

  /** @internal */
  constructor() {
    super();
    this.internals.role = 'group'; // Its label names it then, for screen readers.
    const { input, pick, drop } = this.#view;
    pick.addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
      this.add([...(input.files ?? [])]);
      input.value = '';
    });
    takeFiles(this, drop, (files) => this.add(files));
  }

  /** @internal */
  connectedCallback(): void {
    takeOwnProperties<FileFieldElement>(this, ['uploadOptions', 'texts', 'value']);
    this.#render();
    // The module that imports this one may change `fieldTexts`.
    queueMicrotask(() => this.#translate());
  }

  /** @internal */
  disconnectedCallback(): void {
    // When it is only moved, it is there again by then.
    setTimeout(() => this.#leave());
  }

  /** @internal */
  attributeChangedCallback(name: string, _: string | null, value: string | null): void {
    if (name === 'value') this.value = value ?? '';
    this.#render();
  }

  /** @internal */
  formDisabledCallback(): void {
    this.#render();
  }

  /** @internal */
  formResetCallback(): void {
    this.#show(this.getAttribute('value') ?? '');
  }

  /** @internal */
  formStateRestoreCallback(state: unknown): void {
    if (typeof state === 'string') this.#show(state);
  }

  /** More options for `upload()`, such as `headers`. */
  get uploadOptions(): UploadOptions {
    return this.#uploadOptions;
  }

  /** Asks again for the files that the server has not described yet. */
  set uploadOptions(options: UploadOptions) {
    this.#uploadOptions = options;
    this.#describe();
  }

  /** The words of this field. Those that are missing come from `fieldTexts`. */
  get texts(): Partial<FieldTexts> {
    return this.#texts;
  }

  /** Shows them at once. */
  set texts(texts: Partial<FieldTexts>) {
    this.#texts = texts;
    this.#translate();
  }

  /** The ids of the files, separated by commas. */
  get value(): string {
    return this.#ids.join(',');
  }

  /**
   * Takes all files out, gives up those that are being uploaded, and shows these. The value that it has already changes
   * nothing.
   */
  set value(ids: string) {
    if (ids !== this.value) this.#show(ids);
  }

  /** Makes the field invalid with this message, until the message is `''` or the files change. */
  setCustomValidity(message: string): void {
    this.#problem = message;
    this.#setValue();
  }

  /** Uploads these files, one after the other. Without `multiple`, the last one takes the place of the one before. */
  add(files: readonly File[]): void {
    if (this.matches(':disabled') || files.length === 0) return;
    const isMany = this.hasAttribute('multiple');
    const isReplaced = !isMany && this.value !== '';
    if (!isMany) this.#show('');
    for (const file of isMany ? files : files.slice(-1)) {
      const item = this.#put(file.name, file);
      if (accepts(this.getAttribute('accept'), file)) item.become('waiting');
      else this.#fail(item, this.#text('wrongType'));
    }
    this.#changed(isReplaced);
    void this.#sendAll();
  }

  /** Takes a file out, and leaves the others as they are. Nothing is deleted, and no `change` is fired. */
  takeOut(id: string): void {
    const taken = this.#items.filter((item) => item.id === id);
    this.#items = this.#items.filter((item) => item.id !== id);
    const hadFocus = taken.some(({ row }) => row.matches(':focus-within'));
    for (const { row } of taken) row.remove();
    if (hadFocus) this.#view.pick.focus();
    this.#changed();
  }

  get #ids(): string[] {
    return this.#items.flatMap(({ id }) => id ?? []);
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    const next = (): FieldItem | undefined => this.#items.find(({ state }) => state === 'waiting');
    for (let item = next(); item; item = next()) await this.#send(item, item.file as File);
    this.#isSending = false;
  }

  async #send(item: FieldItem, file: File): Promise<void> {
    try {
      const id = await sendItem(item, file, optionsOf(this));
      // It may have been taken out, or paused, in the last moment.
      if (!this.#items.includes(item)) return;
      item.id = id;
      item.become('done');
      this.#say(item, this.#text('uploaded'));
    } catch (error) {
      if (!item.stop.signal.aborted) this.#fail(item, (error as Error).message);
    }
    this.#changed(item.id !== undefined);
  }

  #act(item: FieldItem, action: ItemAction): void {
    if (action === 'pause') {
      item.become('paused');
      item.stop.abort();
    } else if (action === 'resume' || action === 'retry') {
      item.become('waiting');
      void this.#sendAll();
    } else {
      this.#items = this.#items.filter((other) => other !== item);
      discard(item, optionsOf(this));
      this.#say(item, this.#text('removed'));
      this.#view.pick.focus();
    }
    this.#changed(action === 'remove');
  }

  /** Ends what is not uploaded yet. What the page wants noted can go on later. */
  #leave(): void {
    if (this.isConnected) return;
    for (const item of this.#items) if (item.id === undefined) discard(item, optionsOf(this), item.note.isKept);
    this.#items = this.#items.filter(({ id }) => id !== undefined);
    this.#setValue();
  }

  #put(name: string, file?: File): FieldItem {
    const item = new FieldItem(
      name,
      file,
      (key) => this.#text(key),
      (one, action) => this.#act(one, action),
    );
    item.disabled = this.matches(':disabled');
    this.#items.push(item);
    this.#view.list.append(item.row);
    return item;
  }

  #show(ids: string): void {
    for (const item of this.#items) discard(item, optionsOf(this));
    this.#items = [];
    this.#problem = '';
    for (const id of ids.split(',').filter(Boolean)) {
      const item = this.#put(id);
      item.id = id;
      item.become('done');
    }
    this.#describe();
    this.#render();
  }

  /** Not at once, so that a page can set options first. */
  #describe(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    queueMicrotask(() => {
      this.#isAsking = false;
      describeFiles(this.#items, optionsOf(this));
    });
  }

  #fail(item: FieldItem, problem: string): void {
    item.become('failed', problem);
    this.#say(item, problem);
  }

  #changed(isTold = false): void {
    this.#problem = '';
    this.#setValue();
    if (!isTold) return;
    this.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
    this.dispatchEvent(new Event('change', { bubbles: true }));
  }

  #translate(): void {
    for (const item of this.#items) item.rename(item.name);
    this.#render();
  }

  #render(): void {
    this.#view.pick.textContent = this.getAttribute('label') ?? this.#text('pick');
    this.#view.hint.textContent = this.#text('drop');
    this.#view.pick.disabled = this.matches(':disabled');
    for (const item of this.#items) item.disabled = this.#view.pick.disabled;
    this.#view.input.multiple = this.hasAttribute('multiple');
    this.#view.input.accept = this.getAttribute('accept') ?? '';
    this.#setValue();
  }

  #setValue(): void {
    const name = this.getAttribute('name') ?? '';
    const data = new FormData();
    for (const id of this.#ids) data.append(name, id);
    this.internals.setFormValue(name === '' ? null : data, this.value);
    const given = { own: this.#problem, isRequired: this.hasAttribute('required') };
    const { flags, message } = validityOf(this.#items, { ...given, text: (key) => this.#text(key) });
    this.internals.setValidity(flags, message, this.#view.pick);
  }

  #say({ name }: FieldItem, what: string): void {
    this.#view.said.textContent = `${name}: ${what}`;
  }

  #text(key: keyof FieldTexts): string {
    return this.#texts[key] ?? fieldTexts[key];
  }
}

if (globalThis.customElements && !customElements.get('file-field'))
  customElements.define('file-field', FileFieldElement);

declare global {
  interface HTMLElementTagNameMap {
    'file-field': FileFieldElement;
  }
}
