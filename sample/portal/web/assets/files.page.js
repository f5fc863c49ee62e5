import { api, get } from './api.js';
import { fill, h } from './dom.js';
import { contentUrl, ownerLink, pinBadge, sizeOf, thumbnail, timeOf } from './file-view.js';
import { action, announce, confirm, show, start } from './page.js';

const rows = h('ul', { class: 'files' });
const more = h('p');
const empty = h('p', { class: 'faint' }, 'You have no files yet.');

/** Uploads files; each goes over to the list when it is there. */
function uploadField() {
  const field = h('file-field', { multiple: true, label: 'Choose files', onchange: move });
  field.texts = { drop: 'or drop them here. Only you can see them until you add them to a record.' };
  return h('section', { 'aria-label': 'Upload' }, field);

  async function move() {
    for (const id of field.value.split(',').filter(Boolean)) {
      field.takeOut(id);
      const { file } = await get(`/web/data/files/${id}`);
      rows.prepend(row(file));
      empty.hidden = true;
    }
  }
}

function row(file) {
  const name = h('a', { class: 'name', href: `/web/files/${file.id}` }, file.name);
  const item = h('li', {});
  return fill(
    item,
    thumbnail(file),
    h(
      'div',
      { class: 'what' },
      h('div', {}, name, ' ', pinBadge(file)),
      h('div', { class: 'faint' }, `${sizeOf(file.size)} · ${file.contentType} · `, timeOf(file.createdAt)),
      h(
        'div',
        {},
        file.isOwn && !file.ownerField
          ? h('span', { class: 'faint' }, 'Yours, not used by a record')
          : ['Used by ', ownerLink(file.owner)],
      ),
    ),
    h(
      'div',
      { class: 'actions' },
      h(
        'a',
        { class: 'quiet', href: contentUrl(file.id), download: true, 'aria-label': `Download ${file.name}` },
        'Download',
      ),
      action('Rename', () => rename(file, item), { describe: `Rename ${file.name}` }),
      !file.pinned && action('Delete', () => remove(file, item), { describe: `Delete ${file.name}` }),
    ),
  );
}

/** Puts a form in the place of the row, and the row back. */
function rename(file, item) {
  const input = h('input', { value: file.name, 'aria-label': `New name of ${file.name}`, required: true });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const form = h(
    'form',
    { class: 'rename', onsubmit: save, onkeydown: ({ key }) => key === 'Escape' && back(file) },
    input,
    h('button', { class: 'button' }, 'Save'),
    h('button', { type: 'button', class: 'quiet', onclick: () => back(file) }, 'Cancel'),
    problem,
  );
  fill(item, thumbnail(file), form);
  input.focus();
  input.setSelectionRange(0, Math.max(file.name.lastIndexOf('.'), 0) || file.name.length);

  async function save(event) {
    event.preventDefault();
    try {
      const { name } = await api('PATCH', `/files/${file.id}`, { name: input.value });
      announce(`Renamed to ${name}.`);
      back({ ...file, name });
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  function back(renamed) {
    const old = row(renamed);
    item.replaceWith(old);
    old.querySelector('button')?.focus();
  }
}

async function remove(file, item) {
  if (!(await confirm(`Delete “${file.name}” for good?`, 'Delete'))) return;
  await api('DELETE', `/files/${file.id}`);
  item.remove();
  announce(`${file.name} is deleted.`);
  empty.hidden = rows.childElementCount > 0;
  document.querySelector('main')?.focus();
}

async function load(after = '') {
  const { files, next } = await get(`/web/data/files${after && `?after=${encodeURIComponent(after)}`}`);
  rows.append(...files.map(row));
  empty.hidden = rows.childElementCount > 0;
  fill(more, next && action('Show more', () => load(next), { class: 'button' }));
}

await start(async () => {
  await load();
  show('My files', null, uploadField(), empty, rows, more);
});
