import { Refusal, refusal } from './api.js';
import { h } from './dom.js';
import { sizeOf } from './file-view.js';
import { announce } from './page.js';

/**
 * Sends a file to the portal, which makes it the user's. When the signal aborts, the portal keeps nothing of it.
 * @param {File} file
 * @param {{ signal: AbortSignal, onprogress: (part: number) => void }} options
 * @returns {Promise<any>} the file as the portal knows it
 */
function send(file, { signal, onprogress }) {
  const form = new FormData();
  form.set('file', file);
  // Not fetch(), which does not tell how much is sent.
  const request = new XMLHttpRequest();
  return new Promise((resolve, reject) => {
    request.upload.addEventListener('progress', ({ loaded, total }) => onprogress(loaded / total));
    request.addEventListener('load', () => {
      if (request.status === 201) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText));
    });
    request.addEventListener('error', () =>
      reject(new Refusal(0, ['The connection broke off. The file may be too large.'])),
    );
    request.addEventListener('abort', () => reject(new Refusal(0, ['Cancelled.'])));
    signal.addEventListener('abort', () => request.abort());
    request.open('POST', '/files');
    request.send(form);
  });
}

/**
 * The row of one upload: its name, how far it is, and a button that stops it. Resolves with the file; with nothing when there is none.
 * @param {HTMLElement} list where the row is, until the file is there
 * @param {File} file
 * @returns {Promise<any>}
 */
export async function upload(list, file) {
  const stopping = new AbortController();
  const progress = h('progress', { max: 1, value: 0, 'aria-label': `Upload of ${file.name}` });
  const percent = h('span', { class: 'percent' }, '0 %');
  const cancel = h(
    'button',
    { type: 'button', class: 'quiet', 'aria-label': `Cancel the upload of ${file.name}` },
    'Cancel',
  );
  cancel.addEventListener('click', () => stopping.abort());
  const row = h(
    'li',
    { class: 'upload' },
    h('span', { class: 'name' }, file.name, h('span', { class: 'faint' }, ` ${sizeOf(file.size)}`)),
    progress,
    percent,
    cancel,
  );
  list.append(row);
  try {
    const stored = await send(file, { signal: stopping.signal, onprogress });
    row.remove();
    announce(`${file.name} is uploaded.`);
    return stored;
  } catch (error) {
    if (stopping.signal.aborted) announce(`The upload of ${file.name} is cancelled.`);
    if (stopping.signal.aborted || !(error instanceof Refusal)) row.remove();
    else row.replaceChildren(h('p', { class: 'problem', role: 'alert' }, `${file.name}: ${error.message}`), dismiss());
    if (!(error instanceof Refusal)) throw error;
    return undefined;
  }

  function onprogress(part) {
    progress.value = part;
    percent.textContent = part < 1 ? `${Math.floor(part * 100)} %` : 'storing …';
  }

  function dismiss() {
    return h('button', { type: 'button', class: 'quiet', onclick: () => row.remove() }, 'Dismiss');
  }
}

/**
 * Calls back with files that are dropped on the element.
 * @param {HTMLElement} element
 * @param {(files: File[]) => unknown} onfiles
 */
export function acceptDrops(element, onfiles) {
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes('Files');
  element.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    element.classList.add('dropping');
  });
  element.addEventListener('dragleave', () => element.classList.remove('dropping'));
  element.addEventListener('drop', (event) => {
    element.classList.remove('dropping');
    if (!hasFiles(event)) return;
    event.preventDefault();
    onfiles([...(event.dataTransfer?.files ?? [])]);
  });
}
