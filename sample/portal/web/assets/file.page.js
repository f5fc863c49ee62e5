import { api, get } from './api.js';
import { fill, h } from './dom.js';
import { contentUrl, downloadLink, ownerLink, pinBadge, sizeOf, thumbnail, timeOf } from './file-view.js';
import { action, announce, confirm, place, show, start } from './page.js';

const [, id] = place;
const WHAT = {
  create: 'Uploaded',
  transfer: 'Given away',
  pin: 'Pinned',
  unpin: 'Unpinned',
  release: 'Released',
  delete: 'Deleted',
  expire: 'Expired',
};

function details(file) {
  const facts = {
    Owner: ownerLink(file.owner),
    Type: file.contentType,
    Size: file.size < 1000 ? sizeOf(file.size) : `${sizeOf(file.size)} (${file.size.toLocaleString()} bytes)`,
    Stored: timeOf(file.createdAt),
    [file.hashAlgorithm.toUpperCase()]: h('code', { class: 'hash' }, file.hash),
  };
  return h(
    'dl',
    {},
    Object.entries(facts).map(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]),
  );
}

function change({ action: what, from, to, by, at }) {
  return h(
    'li',
    {},
    h('strong', {}, WHAT[what] ?? what),
    by && [' by ', by],
    h('span', { class: 'faint' }, ' · ', timeOf(at)),
    from && to && h('div', {}, 'from ', ownerLink(from), ' to ', ownerLink(to)),
    what === 'create' && to && h('div', {}, 'for ', ownerLink(to)),
  );
}

function actions(file, allowed) {
  return [
    downloadLink(file),
    allowed.includes('pin') && file.owner && action(file.pinned ? 'Unpin' : 'Pin', () => pin(file)),
    allowed.includes('delete') && !file.pinned && action('Delete', () => remove(file)),
  ];
}

async function pin({ pinned }) {
  await api(pinned ? 'DELETE' : 'PUT', `/files/${id}/pin`);
  announce(pinned ? 'It is no longer pinned.' : 'It is pinned.');
  await load();
}

async function remove({ name }) {
  if (!(await confirm(`Delete “${name}” for good?`, 'Delete'))) return;
  await api('DELETE', `/files/${id}`);
  location.assign('/web/files');
}

function preview(file) {
  const picture = thumbnail(file);
  if (picture.localName !== 'img') return null;
  return h('p', {}, h('img', { class: 'preview', src: contentUrl(id), alt: `Preview of ${file.name}` }));
}

async function load() {
  const { file, history, allowed } = await get(`/web/data/files/${encodeURIComponent(id)}`);
  show(
    file.name,
    actions(file, allowed),
    fill(h('p', {}), pinBadge(file)),
    preview(file),
    h('section', { class: 'card' }, details(file)),
    h(
      'section',
      {},
      h('h2', {}, 'History'),
      h('ol', { class: 'timeline', reversed: true }, history.toReversed().map(change)),
    ),
  );
}

await start(load);
