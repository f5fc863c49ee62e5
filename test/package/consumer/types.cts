import nestjsFiles = require('nestjs-files');
import fs = require('nestjs-files/storage/fs');
import memory = require('nestjs-files/storage/memory');
import testing = require('nestjs-files/testing');

export const module_ = nestjsFiles.FilesModule.forRoot({
  storages: { default: fs.fsStorage({ root: 'var/files' }), scratch: memory.memoryStorage() },
});

export const create = (files: nestjsFiles.FilesService): Promise<nestjsFiles.ManagedFile> =>
  files.create(new Uint8Array(1), { name: 'a.txt' });

export const describeStorage = testing.describeStorage;

// @ts-expect-error the types are real here too
memory.memoryStorage({ maxSize: false });
