import { baseOf, send } from '../send.js';
import type { UploadedFile, UploadOptions } from '../upload-options.js';
import type { FieldItem } from './field-item.js';

/** Shows the name and the picture of a file that is there already, if the server tells them; until then, its id. */
async function describeFile(item: FieldItem, options: UploadOptions): Promise<void> {
  const { name: id } = item;
  const path = `/${encodeURIComponent(id)}`;
  const file = await send<UploadedFile>(options, 'GET', path).catch(() => undefined);
  // It is asked again if the field gets other options meanwhile.
  if (!file || item.name !== id) return;
  item.rename(file.name);
  if (file.contentType.startsWith('image/')) item.illustrate(`${baseOf(options)}${path}/content`);
}

/** Describes those items of which only the id is known. */
export function describeFiles(items: readonly FieldItem[], options: UploadOptions): void {
  for (const item of items) if (item.name === item.id) void describeFile(item, options);
}
