import { get } from './api.js';
import { fill, h } from './dom.js';
import { thumbnail } from './file-view.js';
import { field } from './form.js';
import { userId } from './page.js';

/** The user's files that are in no record, and the fields on this page that offer them: what one uploads, all offer. */
const own = await get(`/files?ownerType=user&ownerId=${userId}&sort=createdAt:desc&limit=200`);
const files = own.results.filter(({ pinned }) => !pinned);
const fields = new Set();

/**
 * A field for a file: one of the user's own, or one that is uploaded on the spot. Its input's value is the id, empty for none.
 * @param {string} label
 * @param {string} name
 * @param {{ current?: any, images?: boolean, hint?: string }} [options] `current` is the file that the record has already
 */
export function fileField(label, name, { current, images = false, hint } = {}) {
  const select = h('select', { onchange: look });
  // It has no name: the form sends what is selected.
  const uploads = h('file-field', { label: 'Upload', accept: images ? 'image/*' : null, onchange: add });
  const preview = h('span', {});
  const offer = (file) => {
    if (images && !file.contentType?.startsWith('image/') && file !== current) return;
    select.append(h('option', { value: file.id }, file === current ? `${file.name} (as it is)` : file.name));
  };

  fill(select, h('option', { value: '' }, 'No file'));
  for (const file of current ? [current, ...files] : files) offer(file);
  select.value = current?.id ?? '';
  fields.add(offer);
  look();

  const element = field(label, name, select, { hint, beside: preview });
  element.append(uploads);
  return { element, select };

  async function add() {
    const id = uploads.value;
    if (!id) return;
    uploads.setCustomValidity('Wait until the file is selected.');
    const file = await get(`/files/${id}`).finally(() => uploads.takeOut(id));
    files.unshift(file);
    for (const offerTo of fields) offerTo(file);
    select.value = file.id;
    look();
    select.focus();
  }

  function look() {
    const file = [current, ...files].find((each) => each?.id === select.value);
    fill(preview, file && thumbnail(file));
  }
}

/**
 * What to say of the files that were chosen when a record is not saved: as the portal says, not as it should be.
 * @param {string[]} ids
 */
export async function tellStillOwn(ids) {
  const chosen = ids.filter((id) => files.some((file) => file.id === id));
  // What somebody else has now is not there.
  const found = await Promise.allSettled(chosen.map((id) => get(`/files/${id}`)));
  const names = found
    .map((answer) => (answer.status === 'fulfilled' ? answer.value : {}))
    .filter(({ ownerType, ownerId }) => ownerType === 'user' && ownerId === userId)
    .map(({ name }) => name);
  return names.length > 0 && h('p', { class: 'faint' }, `Still yours: ${names.join(', ')}`);
}
