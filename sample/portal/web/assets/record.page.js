import { get } from './api.js';
import { h } from './dom.js';
import { contentUrl } from './file-view.js';
import { KINDS } from './kinds.js';
import { place, show, start, userId } from './page.js';

const [path, id] = place;
const kind = KINDS[path];

await start(async () => {
  const record = await get(`/${path}/${encodeURIComponent(id)}`);
  const title = record[kind.heading];
  const image = record[kind.image];
  show(
    title,
    kind.isChangedBy(record, userId) && h('a', { class: 'button', href: `/web/${path}/${id}/edit` }, 'Edit'),
    h('p', { class: 'faint' }, record.name),
    image
      ? h(
          'p',
          {},
          h('img', { class: 'preview', src: contentUrl(image.id), alt: `${kind.imageField.label} of ${title}` }),
        )
      : h('p', { class: 'faint' }, 'No image yet.'),
  );
});
