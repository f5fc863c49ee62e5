import { get } from './api.js';
import { h } from './dom.js';
import { portrait } from './file-view.js';
import { KINDS } from './kinds.js';
import { place, show, start, userId } from './page.js';

const [path] = place;
const kind = KINDS[path];

function card(record) {
  const title = record[kind.heading];
  return h(
    'li',
    {},
    portrait(record[kind.image], title),
    h(
      'div',
      {},
      h('a', { class: 'name', href: `/web/${path}/${record.id}` }, title),
      h('div', { class: 'faint' }, record.name),
    ),
  );
}

await start(async () => {
  const records = await get(`/${path}`);
  show(
    kind.title,
    userId && kind.mayAdd && h('a', { class: 'button', href: `/web/${path}/new` }, `New ${kind.one}`),
    records.length === 0
      ? h('p', { class: 'faint' }, `There are no ${path} yet.`)
      : h('ul', { class: 'cards' }, records.map(card)),
  );
});
