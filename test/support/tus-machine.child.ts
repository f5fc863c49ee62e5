import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import { UPLOAD_LEASE } from '../../lib/files/resumable/upload-leases.js';
import { FilesModule } from '../../lib/files.module.js';
import { fsStorage } from '../../lib/storage/adapters/fs.storage.js';
import type { ResumableUploadAdapter } from '../../lib/storage/resumable-upload-adapter.js';
import type { Storage } from '../../lib/storage/storage.js';
import { watchedAzure } from '../azure/watched.js';
import { watchedS3 } from '../crash/s3-bytes.js';
import type { Watch } from '../crash/s3-bytes.js';
import type { ChildMachine, StoragePlace } from './describe-tus-crash-points.js';

// A machine that takes uploads, and kills itself at a call of its storage: tus-machine.child.js MACHINE. It sends its
// port to its parent.
const { database, place, lease, point } = JSON.parse(process.argv[2] ?? '') as ChildMachine;

let calls = 0;

const module = await Test.createTestingModule({
  imports: [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    FilesModule.forRoot({
      storages: { default: storageAt(place) },
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

/**
 * The storage, which kills the process before or after a call of it, or a request to its server; or when half of the
 * appended content has come.
 */
function storageAt(at: StoragePlace): Storage {
  if ('root' in at) return deadly(fsStorage(at), counted);
  const watch: Watch = (_name, send) => counted(send);
  return deadly('bucket' in at ? watchedS3(at, watch) : watchedAzure(at, watch));
}

function deadly(storage: Storage, call = <T>(work: () => Promise<T>): Promise<T> => work()): Storage {
  for (const verb of ['stat', 'read', 'remove'] as const) {
    const inner = storage[verb].bind(storage) as (...args: unknown[]) => Promise<unknown>;
    Object.assign(storage, { [verb]: (...args: unknown[]) => call(() => inner(...args)) });
  }
  const resumable = storage.resumable.bind(storage);
  storage.resumable = (location, work) => call(() => resumable(location, (inner) => work(dying(inner))));
  return storage;
}

async function counted<T>(work: () => Promise<T>): Promise<T> {
  const isIt = ++calls === point.call;
  if (isIt && point.moment === 'before') await die();
  const result = await work();
  if (isIt && point.moment === 'after') await die();
  return result;
}

function dying(inner: ResumableUploadAdapter): ResumableUploadAdapter {
  return {
    begin: (...args) => inner.begin(...args),
    offset: (...args) => inner.offset(...args),
    head: (...args) => inner.head(...args),
    finish: (...args) => inner.finish(...args),
    abort: (...args) => inner.abort(...args),
    join: async (...args) => (await inner.join?.(...args)) ?? false,
    append: (location, handle, offset, content, size) =>
      inner.append(location, handle, offset, isWithin() ? half(content) : content, size),
  };
}

function isWithin(): boolean {
  return calls === point.call && point.moment === 'within';
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
