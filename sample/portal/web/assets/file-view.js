import { h } from './dom.js';

const SIZES = ['bytes', 'kB', 'MB', 'GB'];
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Content types that the portal sends for being looked at. SVG is not one of them. */
const PICTURES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'];

/** @param {string} id */
export const contentUrl = (id) => `/files/${encodeURIComponent(id)}/content`;

/** @param {string} id */
const thumbnailUrl = (id) => `/files/${encodeURIComponent(id)}/thumbnail`;

/**
 * The thumbnail of a picture. It may have to be made first; where there is none, that is the picture itself.
 * @param {string} id
 * @param {Record<string, unknown>} attributes
 */
function smallPicture(id, attributes) {
  const image = h('img', { ...attributes, alt: '', loading: 'lazy', src: thumbnailUrl(id) });
  image.addEventListener('error', waitForThumbnail);
  return image;

  async function waitForThumbnail() {
    const { ok, status, headers } = await fetch(thumbnailUrl(id), { method: 'HEAD' });
    if (status === 202) setTimeout(waitForThumbnail, 1000 * Number(headers.get('retry-after')));
    else {
      image.removeEventListener('error', waitForThumbnail);
      image.src = ok ? thumbnailUrl(id) : contentUrl(id);
    }
  }
}

/** @param {number} bytes */
export function sizeOf(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), SIZES.length - 1);
  return `${(bytes / 1000 ** power).toLocaleString(undefined, { maximumFractionDigits: power ? 1 : 0 })} ${SIZES[power]}`;
}

/** @param {string} instant */
export function timeOf(instant) {
  return h('time', { datetime: instant }, moment.format(new Date(instant)));
}

/**
 * What a file looks like: its thumbnail, if it is a picture, else the ending of its name.
 * @param {{ id: string, name: string, contentType?: string }} file
 */
export function thumbnail({ id, name, contentType = '' }) {
  if (PICTURES.includes(contentType)) {
    return smallPicture(id, { class: 'thumbnail', width: 48, height: 48 });
  }
  const ending = /\.(\w{1,4})$/.exec(name)?.[1] ?? contentType.split('/').pop()?.slice(0, 4) ?? '';
  return h('span', { class: 'thumbnail', 'aria-hidden': 'true' }, ending);
}

/**
 * A picture of a record, or the begin of its name in its place.
 * @param {{ id: string } | null} image
 * @param {string} title
 */
export function portrait(image, title) {
  if (image) return smallPicture(image.id, { class: 'portrait', width: 64, height: 64 });
  return h('span', { class: 'portrait', 'aria-hidden': 'true' }, title.slice(0, 1));
}

/** @param {{ id: string, name: string }} file */
export function downloadLink({ id, name }) {
  return h(
    'a',
    { class: 'button', href: contentUrl(id), download: true, 'aria-label': `Download ${name}` },
    'Download',
  );
}

/**
 * Who has the file, with a link to where it is used.
 * @param {{ type: string, title: string | null, url: string | null } | null} owner
 */
export function ownerLink(owner) {
  if (!owner) return h('span', { class: 'faint' }, 'no owner');
  const title = owner.title === null ? `a ${owner.type}` : owner.title;
  return [
    h('span', { class: 'faint' }, `${owner.type} `),
    owner.url === null ? title : h('a', { href: owner.url }, title),
  ];
}

export const pinBadge = ({ pinned }) =>
  pinned ? h('span', { class: 'badge', title: 'It cannot be given away, renamed or deleted' }, 'Pinned') : null;
