import { api, get } from './api.js';
import { h } from './dom.js';
import { fileField, tellStillOwn } from './file-field.js';
import { field, form, textInput } from './form.js';
import { announce, place, show, start } from './page.js';

const [, id] = place;
const isNew = id === 'new';

/**
 * @param {any} list
 * @param {{ id?: string, name?: string, file?: any }} [resource]
 */
function resourceFields(list, resource = {}) {
  const { id: resourceId, name = '', file } = resource;
  const title = textInput(name);
  const { element, select } = fileField('File', 'fileId', { current: file });
  const item = h(
    'li',
    {},
    field('Name', 'name', title),
    element,
    h('button', { type: 'button', class: 'quiet', onclick: remove }, 'Remove'),
  );
  item.resource = () => ({
    ...(resourceId && { id: resourceId }),
    name: title.value,
    fileId: select.value || undefined,
  });
  return item;

  function remove() {
    item.remove();
    number(list);
    announce('The resource was removed from the list.');
    list.nextElementSibling?.focus();
  }
}

/** Fields are named by their place in what is sent, as the API names what is wrong. */
function number(list) {
  [...list.children].forEach((item, index) => {
    for (const input of item.querySelectorAll('[name]'))
      input.name = `resources.${index}.${input.name.split('.').pop()}`;
  });
}

function resourcesFieldset(resources) {
  const list = h('ol', { class: 'resources' }, []);
  const add = (resource) => {
    list.append(resourceFields(list, resource));
    number(list);
  };
  for (const resource of resources) add(resource);
  const addNew = () => {
    add();
    list.lastElementChild.querySelector('input').focus();
  };
  const button = h('button', { type: 'button', class: 'quiet add', onclick: addNew }, 'Add a resource');
  return { element: h('fieldset', {}, h('legend', {}, 'Resources'), list, button), list };
}

function visibilityChoice(chosen) {
  const choice = (value, text) =>
    h(
      'label',
      { class: 'choice' },
      h('input', { type: 'radio', name: 'visibility', value, checked: value === chosen }),
      text,
    );
  return h(
    'fieldset',
    { class: 'choices' },
    h('legend', {}, 'Who may see it, and download its files'),
    choice('private', 'Only me'),
    choice('public', 'Everybody'),
  );
}

await start(async () => {
  const pkg = isNew ? { resources: [], visibility: 'private' } : await get(`/packages/${encodeURIComponent(id)}`);
  const title = textInput(pkg.title);
  const name = textInput(pkg.name, { autocapitalize: 'none', spellcheck: false });
  const visibility = visibilityChoice(pkg.visibility);
  const attachment = fileField('Attachment', 'attachmentId', {
    current: pkg.attachment,
    hint: 'A PDF, text or image file',
  });
  const resources = resourcesFieldset(pkg.resources);
  const values = () => ({
    title: title.value,
    name: name.value,
    visibility: visibility.querySelector(':checked').value,
    attachmentId: attachment.select.value || null,
    resources: [...resources.list.children].map((item) => item.resource()),
  });
  const save = async () => {
    const saved = await (isNew ? api('POST', '/packages', values()) : api('PATCH', `/packages/${id}`, values()));
    location.assign(`/web/packages/${saved.id}`);
  };
  const onrefused = () => {
    const { attachmentId, resources: items } = values();
    return tellStillOwn([attachmentId, ...items.map(({ fileId = '' }) => fileId)]);
  };
  show(
    isNew ? 'New package' : `Edit ${pkg.title}`,
    null,
    form(
      [
        field('Title', 'title', title),
        field('Name', 'name', name, { hint: 'Lower-case letters, digits and dashes. Must be unique.' }),
        visibility,
        attachment.element,
        resources.element,
      ],
      { save, onrefused, back: isNew ? '/web/packages' : `/web/packages/${id}` },
    ),
  );
});
