import { get } from './api.js';
import { fill, h } from './dom.js';
import { ownerLink, pinBadge, sizeOf, timeOf } from './file-view.js';
import { field } from './form.js';
import { action, announce, show, start } from './page.js';

const REASONS = {
  unowned: () => 'it has no owner',
  'type-not-cascaded': ({ ownerType }) => `files of a ${ownerType} do not follow their owner`,
  'storage-not-cascaded': ({ storage }) => `files in ${storage} do not follow their owner`,
};
const OUTCOMES = { remove: 'removes the bytes', keep: 'keeps the bytes: a file has them', wait: 'waits: not due yet' };
const KINDS = {
  create: 'An upload in progress, or interrupted',
  delete: 'A deletion',
  marker: 'An upload outside of a transaction',
  upload: 'An upload to the storage, or in several requests',
  draft: 'A file that was never attached',
};

/** Which rule says so. */
function reason({ decision, ...file }) {
  switch (decision.rule) {
    case 'manager':
      return 'a manager may do everything';
    case 'owner':
      return 'the owner may do this';
    case 'file-policy':
      return `the file policy ${decision.policy} says so`;
    case 'cascade':
      return `cascade: ${decision.policy} on “${decision.operation}” of the ${decision.owner.type}`;
    default:
      return `no rule: ${REASONS[decision.reason](file)}`;
  }
}

function row(file) {
  const { decision } = file;
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, h('a', { href: `/web/files/${file.id}` }, file.name), ' ', pinBadge(file)),
    h('td', { 'data-label': 'Owner' }, h('span', {}, ownerLink(file.owner))),
    h(
      'td',
      { 'data-label': 'Content' },
      h(
        'span',
        {},
        `${file.contentType}, ${sizeOf(file.size)}`,
        h('br'),
        h('span', { class: 'faint' }, timeOf(file.createdAt)),
      ),
    ),
    h(
      'td',
      { 'data-label': 'Access' },
      h(
        'span',
        {},
        h('span', { class: decision.allowed ? 'badge yes' : 'badge no' }, decision.allowed ? 'Yes' : 'No'),
        ' ',
        reason(file),
      ),
    ),
  );
}

const choose = (name, label, choices) =>
  field(
    label,
    name,
    h(
      'select',
      {},
      Object.entries(choices).map(([value, text]) => h('option', { value }, text)),
    ),
  );

function filters(users, onchange) {
  const people = Object.fromEntries(users.map(({ id, fullName }) => [id, fullName]));
  const element = h(
    'form',
    { class: 'filters card', 'aria-label': 'Filters', onsubmit: (event) => event.preventDefault(), oninput: onchange },
    field('Name', 'name', h('input', { type: 'search' })),
    choose('ownerType', 'Owner', {
      '': 'Any',
      user: 'Users',
      package: 'Packages',
      resource: 'Resources',
      group: 'Groups',
      organization: 'Organizations',
      none: 'No owner',
    }),
    choose('contentType', 'Content', { '': 'Any', 'image/': 'Images', 'application/pdf': 'PDF', 'text/': 'Texts' }),
    choose('pinned', 'Pinned', { '': 'Any', yes: 'Yes', no: 'No' }),
    choose('as', 'Explain access for', { '': 'A visitor', ...people }),
    choose('operation', 'who wants to', {
      read: 'see it',
      stream: 'download it',
      update: 'change it',
      transfer: 'give it away',
      pin: 'pin it',
      delete: 'delete it',
    }),
  );
  return element;
}

function stepRow({ kind, storage, location, since, outcome }) {
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, h('code', {}, `${storage}: ${location}`)),
    h(
      'td',
      { 'data-label': 'What' },
      h('span', {}, KINDS[kind], h('br'), h('span', { class: 'faint' }, timeOf(since))),
    ),
    h('td', { 'data-label': 'Sweeper' }, h('span', {}, OUTCOMES[outcome])),
  );
}

function table(headings, body) {
  return h(
    'table',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        headings.map((heading) => h('th', { scope: 'col' }, heading)),
      ),
    ),
    body,
  );
}

await start(async () => {
  const [users, steps] = await Promise.all([get('/users'), get('/web/data/manage/sweep')]);
  const body = h('tbody', {});
  const more = h('p', {});
  const form = filters(users, () => find());
  let asked = 0;

  async function find(after) {
    asked += 1;
    const turn = asked;
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === 'string' && value) query.set(name, value);
    if (after) query.set('after', after);
    const { count, files, next } = await get(`/web/data/manage/files?${query}`);
    // An answer to what is no longer asked.
    if (turn !== asked) return;
    if (!after) fill(body);
    body.append(...files.map(row));
    fill(
      more,
      h('span', { class: 'faint' }, `${body.childElementCount} of ${count} files `),
      next && action('Show more', () => find(next)),
    );
    announce(`${count} files`);
  }

  await find();
  show(
    'All files',
    null,
    form,
    table(['File', 'Owner', 'Content', 'Access'], body),
    more,
    h(
      'section',
      { 'aria-label': 'Sweeper' },
      h('h2', {}, 'What the sweeper would do'),
      steps.length === 0
        ? h('p', { class: 'faint' }, 'Nothing to clean up: a file refers to all stored bytes.')
        : table(['Bytes', 'What they are', 'The sweeper'], h('tbody', {}, steps.map(stepRow))),
    ),
  );
});
