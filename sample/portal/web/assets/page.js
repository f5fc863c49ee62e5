import { Refusal } from './api.js';
import { fill, h } from './dom.js';

/** @type {HTMLElement} */
const main = document.querySelector('#main') ?? document.body;

/** What is said aloud by screen readers, without taking the focus: of progress, and of what has been done. */
const status = h('p', { class: 'unseen', role: 'status' });
document.body.append(status);

// On a phone the navigation is wider than the page.
document.querySelector('nav [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' });

/** The id of the user who is logged in; empty for nobody. */
export const userId = document.body.dataset.user ?? '';

/** The parts of the address after /web: `['packages', '1', 'edit']`. */
export const place = location.pathname.split('/').slice(2).map(decodeURIComponent);

/** @param {string} message */
export function announce(message) {
  status.textContent = message;
}

/**
 * Gives the page its title, what stands beside it, and what is below.
 * @param {string} title
 * @param {unknown} actions
 * @param {...unknown} content
 */
export function show(title, actions, ...content) {
  document.title = `${title} · Data portal`;
  fill(main, h('div', { class: 'heading' }, h('h1', {}, title), h('div', { class: 'actions' }, actions)), ...content);
}

/**
 * Runs what fills the page, and shows why where it cannot.
 * @param {() => Promise<void>} work
 */
export async function start(work) {
  main.ariaBusy = 'true';
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const title = error.status === 404 || error.status === 400 ? 'There is nothing here' : 'That did not work';
    show(
      title,
      null,
      h('p', { class: 'notice' }, error.message),
      h('p', {}, h('a', { href: '/web' }, 'To the packages')),
    );
  } finally {
    main.ariaBusy = null;
  }
}

/**
 * A button that does something, tells what went wrong beside itself, and cannot be pressed twice.
 * @param {string} label
 * @param {() => Promise<unknown> | unknown} work
 * @param {{ class?: string, describe?: string }} [options]
 */
export function action(label, work, { class: kind = 'quiet', describe } = {}) {
  const button = h('button', { type: 'button', class: kind, 'aria-label': describe, onclick: run }, label);
  const problem = h('span', { class: 'problem', role: 'alert' });
  return h('span', { class: 'action' }, button, problem);

  async function run() {
    button.disabled = true;
    problem.textContent = '';
    try {
      await work();
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      button.disabled = false;
    }
  }
}

/**
 * Asks before something is done that cannot be undone. Resolves with whether to go on.
 * @param {string} question
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export function confirm(question, yes) {
  const dialog = h(
    'dialog',
    { 'aria-label': question },
    h('form', { method: 'dialog' }, [
      h('p', {}, question),
      h('p', { class: 'actions' }, [
        h('button', { value: 'no', class: 'quiet', autofocus: true }, 'Cancel'),
        h('button', { value: 'yes', class: 'button danger' }, yes),
      ]),
    ]),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
