import { api, get } from './api.js';
import { h } from './dom.js';
import { downloadLink, thumbnail } from './file-view.js';
import { action, announce, place, show, start, userId } from './page.js';

const [, id] = place;

function file(link, title) {
  const name = h('a', { class: title ? 'faint' : 'name', href: `/web/files/${link.id}` }, link.name);
  return h(
    'li',
    {},
    thumbnail(link),
    h('div', { class: 'what' }, title && h('div', { class: 'name' }, title), name),
    h('div', { class: 'actions' }, downloadLink(link)),
  );
}

function section(heading, files) {
  const content = files.length > 0 ? h('ul', { class: 'files' }, files) : h('p', { class: 'faint' }, 'It has none.');
  return h('section', {}, h('h2', {}, heading), content);
}

async function publish() {
  await api('POST', `/packages/${id}/publish`);
  announce('It is public now.');
  await load();
}

async function load() {
  const pkg = await get(`/packages/${encodeURIComponent(id)}`);
  const creator = await get(`/users/${pkg.creatorId}`);
  const resources = pkg.resources.filter((resource) => resource.file !== null);
  const mayChange = pkg.creatorId === userId;
  show(
    pkg.title,
    mayChange && [
      h('a', { class: 'button', href: `/web/packages/${id}/edit` }, 'Edit'),
      pkg.visibility === 'private' && action('Publish', publish),
    ],
    h(
      'p',
      { class: 'faint' },
      `${pkg.name} · by `,
      h('a', { href: `/web/users/${creator.id}` }, creator.fullName),
      ` · ${pkg.visibility}`,
    ),
    section('Attachment', pkg.attachment ? [file(pkg.attachment)] : []),
    section(
      'Resources',
      resources.map((resource) => file(resource.file, resource.name)),
    ),
  );
}

await start(load);
