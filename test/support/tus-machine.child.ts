import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { BlobServiceClient } from '@azure/storage-blob';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import { UPLOAD_LEASE } from '../../lib/files/resumable/upload-leases.js';
import { FilesModule } from '../../lib/files.module.js';
import { azureStorage } from '../../lib/storage/adapters/azure.storage.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import { s3Storage } from '../../lib/storage/adapters/s3.storage.js';
import type { ResumableUploadPlace } from '../../lib/storage/resumable-upload-place.js';
import type { Storage } from '../../lib/storage/storage.js';
import type { ChildMachine, StoragePlace } from './describe-tus-crash-points.js';

// A machine that takes uploads, and kills itself at a call of its storage: tus-machine.child.js MACHINE. It sends its port to its parent.
const { database, place, lease, point } = JSON.parse(process.argv[2] ?? '') as ChildMachine;

let calls = 0;

const module = await Test.createTestingModule({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database, autoLoadEntities: true }),
    FilesModule.forRoot({
      storages: { default: deadly(storageAt(place)) },
      actor: () => ({ type: 'user', id: 'ada' }),
      uploads: 'authenticated',
      sweeper: false,
    }),
  ],
})
  .overrideProvider(UPLOAD_LEASE)
  .useValue(lease)
  .compile();
const app = module.createNestApplication({ logger: false });
await app.listen(0, '127.0.0.1');
process.send?.((app.getHttpServer() as { address(): AddressInfo }).address().port);

function storageAt(at: StoragePlace): Storage {
  if ('root' in at) return fsStorage({ root: at.root });
  if ('bucket' in at) return s3Storage(at);
  return azureStorage({ container: BlobServiceClient.fromConnectionString(at.connection).getContainerClient(at.name) });
}

/** The same storage, which kills the process before or after one of its calls, or when half of the appended content has come. */
function deadly(storage: Storage): Storage {
  for (const verb of ['stat', 'read', 'remove'] as const) {
    const call = storage[verb].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    Object.assign(storage, { [verb]: (...args: unknown[]) => counted(() => call(...args)) });
  }
  const resumable = storage.resumable.bind(storage);
  storage.resumable = (location, work) => counted(() => resumable(location, (inner) => work(dying(inner))));
  return storage;
}

async function counted<T>(work: () => Promise<T>): Promise<T> {
  const isIt = ++calls === point.call;
  if (isIt && point.moment === 'before') await die();
  const result = await work();
  if (isIt && point.moment === 'after') await die();
  return result;
}

function dying(inner: ResumableUploadPlace): ResumableUploadPlace {
  const isIt = calls === point.call && point.moment === 'within';
  return {
    begin: (...args) => inner.begin(...args),
    offset: (...args) => inner.offset(...args),
    head: (...args) => inner.head(...args),
    finish: (...args) => inner.finish(...args),
    abort: (...args) => inner.abort(...args),
    join: async (...args) => (await inner.join?.(...args)) ?? false,
    append: (location, handle, offset, content, size) =>
      inner.append(location, handle, offset, isIt ? half(content) : content, size),
  };
}

async function* half(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let size = 0;
  for await (const chunk of content) {
    yield chunk;
    size += chunk.length;
    if (size > point.bytes) await die();
  }
}

/** Nothing of this process goes on. */
function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}
