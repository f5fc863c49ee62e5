/// <reference lib="dom" />
import type { UploadOptions } from '../upload-options.js';

/** The options of `upload()` that the field has as attributes, and those that it was given. */
export function optionsOf(field: HTMLElement & { uploadOptions: UploadOptions }): UploadOptions {
  const given = ['endpoint', 'storage'].flatMap((name) =>
    field.hasAttribute(name) ? [[name, field.getAttribute(name)]] : [],
  );
  return { ...(Object.fromEntries(given) as UploadOptions), ...field.uploadOptions };
}
