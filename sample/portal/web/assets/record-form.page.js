import { api, get } from './api.js';
import { fileField, tellStillOwn } from './file-field.js';
import { field, form, textInput } from './form.js';
import { KINDS } from './kinds.js';
import { place, show, start } from './page.js';

const [path, id] = place;
const kind = KINDS[path];
const isNew = id === 'new';
const HINTS = { name: 'Lower-case letters, digits and dashes.' };

await start(async () => {
  const record = isNew ? {} : await get(`/${path}/${encodeURIComponent(id)}`);
  const { name: imageName, label } = kind.imageField;
  const image = fileField(label, imageName, { current: record[kind.image], images: true });
  const inputs = Object.keys(kind.fields).map((name) => ({ name, input: textInput(record[name]) }));
  const save = async () => {
    const texts = Object.fromEntries(inputs.map(({ name, input }) => [name, input.value]));
    const values = { ...texts, [imageName]: image.select.value || null };
    const saved = await (isNew ? api('POST', `/${path}`, values) : api('PATCH', `/${path}/${id}`, values));
    location.assign(`/web/${path}/${saved.id}`);
  };
  show(
    isNew ? `New ${kind.one}` : `Edit ${record[kind.heading]}`,
    null,
    form(
      [...inputs.map(({ name, input }) => field(kind.fields[name], name, input, { hint: HINTS[name] })), image.element],
      {
        save,
        onrefused: () => tellStillOwn([image.select.value]),
        back: isNew ? `/web/${path}` : `/web/${path}/${id}`,
      },
    ),
  );
});
