import { Refusal } from './api.js';
import { fill, freshId, h } from './dom.js';
import { announce } from './page.js';

/**
 * A field with its label, a hint, and a place for what is wrong with it. `name` is its path in what is sent: `resources.0.name`.
 * @param {string} label
 * @param {string} name
 * @param {HTMLElement} input
 * @param {{ hint?: string, beside?: unknown }} [options]
 */
export function field(label, name, input, { hint, beside } = {}) {
  const id = freshId('field');
  const problem = h('span', { class: 'problem', id: `${id}-problem` });
  input.id = id;
  input.setAttribute('name', name);
  input.setAttribute('aria-describedby', hint ? `${id}-hint ${id}-problem` : `${id}-problem`);
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    hint && h('span', { class: 'hint', id: `${id}-hint` }, hint),
    h('span', { class: 'inputs' }, input, beside),
    problem,
  );
}

/** @param {string} [value] */
export const textInput = (value = '', properties = {}) => h('input', { type: 'text', value, ...properties });

/**
 * A form that is saved by `save`. What the API has against it stands beside the field that it names, else above all.
 * @param {unknown} fields
 * @param {{ save: () => Promise<void>, onrefused?: () => Promise<unknown>, back: string }} options `onrefused` adds to what is told then
 */
export function form(fields, { save, onrefused, back }) {
  const summary = h('div', { class: 'summary', role: 'alert', tabindex: -1, hidden: true });
  const button = h('button', { class: 'button' }, 'Save');
  const element = h(
    'form',
    { class: 'card', novalidate: true, onsubmit: submit },
    summary,
    fields,
    h('p', { class: 'actions' }, button, h('a', { class: 'quiet', href: back }, 'Cancel')),
  );
  return element;

  async function submit(event) {
    event.preventDefault();
    // The browser says why, at the first field whose file is not uploaded yet, or was refused.
    if (![...element.querySelectorAll('file-field')].every((each) => each.reportValidity())) return;
    button.disabled = true;
    clear();
    try {
      await save();
      announce('It is saved.');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const rest = error.messages.filter((message) => !showBeside(message));
      const more = await onrefused?.();
      summary.hidden = false;
      fill(
        summary,
        h('strong', {}, 'It was not saved.'),
        rest.map((message) => h('p', {}, message)),
        more,
      );
      (element.querySelector('[aria-invalid]') ?? summary).focus();
    } finally {
      button.disabled = false;
    }
  }

  function clear() {
    summary.hidden = true;
    for (const input of element.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
    for (const problem of element.querySelectorAll('.problem')) problem.textContent = '';
  }

  /** `title must not be empty`, `attachmentId: The file is protected and cannot be used here`: the field comes first. */
  function showBeside(message) {
    const [, name, problem] = /^([\w.]+):? (.*)$/s.exec(message) ?? [];
    const input = [...element.elements].find((each) => each.name === name);
    const place = input?.closest('.field')?.querySelector('.problem');
    if (!place) return false;
    input.setAttribute('aria-invalid', 'true');
    // What is wrong first is what helps: what is no id is no file of the user's either.
    place.textContent ||= `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`;
    return true;
  }
}
