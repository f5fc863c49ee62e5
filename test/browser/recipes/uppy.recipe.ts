import type { Body, Meta, Uppy } from '@uppy/core';
import { upload } from 'nestjs-files/client';
import type { UploadOptions } from 'nestjs-files/client';

export function uploadWithFiles(uppy: Uppy<Meta, Body>, options: UploadOptions = {}): void {
  uppy.addUploader(async (ids) => {
    const files = ids.map((id) => uppy.getFile(id));
    uppy.emit('upload-start', files);
    for (const { id, name, data } of files) {
      const stop = new AbortController();
      const onProgress = (bytesUploaded: number, bytesTotal: number) => {
        const progress = { uploadStarted: Date.now(), bytesUploaded, bytesTotal };
        uppy.emit('upload-progress', uppy.getFile(id), progress);
      };
      const onRemoved = (file: { id: string }) => file.id === id && stop.abort();
      uppy.on('file-removed', onRemoved);
      try {
        const body = await upload(data as File, { ...options, name, signal: stop.signal, onProgress });
        uppy.emit('upload-success', uppy.getFile(id), { status: 201, body: { ...body } });
      } catch (error) {
        if (!stop.signal.aborted) uppy.emit('upload-error', uppy.getFile(id), error as Error);
      }
      uppy.off('file-removed', onRemoved);
    }
  });
}
