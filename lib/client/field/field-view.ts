/// <reference lib="dom" />
import { make } from './field-item.js';
import { fieldStyle } from './field-style.js';

/** Makes the elements of a field, in its shadow. */
export function fieldView(host: HTMLElement) {
  const root = host.attachShadow({ mode: 'open', delegatesFocus: true });
  root.adoptedStyleSheets = [fieldStyle()];
  const input = make('input', { type: 'file', hidden: true });
  const pick = make('button', { type: 'button' }, 'pick');
  const hint = make('span', {}, 'hint');
  const drop = make('div', {}, 'drop');
  const list = make('ul', {}, 'list');
  const said = make('p', {}, 'said');
  said.setAttribute('role', 'status');
  // The field fires one itself, once its value has changed.
  input.addEventListener('input', (event) => event.stopPropagation());
  drop.append(input, pick, hint);
  root.append(drop, list, said);
  return { input, pick, hint, drop, list, said };
}
