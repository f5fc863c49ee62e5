import { get } from './api.js';
import { h } from './dom.js';
import { downloadLink } from './file-view.js';
import { show, start, userId } from './page.js';

const visibilityBadge = ({ visibility }) =>
  visibility === 'private' ? h('span', { class: 'badge' }, 'Private') : null;

function row(pkg) {
  const { length } = pkg.resources;
  return h(
    'li',
    {},
    h(
      'div',
      { class: 'what' },
      h('div', {}, h('a', { class: 'name', href: `/web/packages/${pkg.id}` }, pkg.title), ' ', visibilityBadge(pkg)),
      h('div', { class: 'faint' }, `${pkg.name} · ${length} ${length === 1 ? 'resource' : 'resources'}`),
    ),
    h('div', { class: 'actions' }, pkg.attachment && downloadLink(pkg.attachment)),
  );
}

await start(async () => {
  const packages = await get('/packages');
  show(
    'Packages',
    userId && h('a', { class: 'button', href: '/web/packages/new' }, 'New package'),
    packages.length === 0
      ? h('p', { class: 'faint' }, 'There are no packages yet.')
      : h('ul', { class: 'files' }, packages.map(row)),
  );
});
