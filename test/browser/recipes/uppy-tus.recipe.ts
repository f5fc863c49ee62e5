import type { Body, Meta, Uppy } from '@uppy/core';
import Tus from '@uppy/tus';

export function uploadWithTus(uppy: Uppy<Meta, Body>, endpoint = '/files/tus'): void {
  uppy.use(Tus, { endpoint, allowedMetaFields: ['name', 'type'] });
  uppy.on('upload-success', (file, { uploadURL }) => {
    // The id of the upload is the id of the file.
    if (file) uppy.setFileMeta(file.id, { fileId: uploadURL?.split('/').at(-1) });
  });
}
