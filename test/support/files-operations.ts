import { Readable } from 'node:stream';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import type { AssembledFiles } from './files-harness.js';

type World = Pick<AssembledFiles, 'batches' | 'creations' | 'files' | 'queue' | 'registry' | 'dataSource'>;

const BATCH = ['one', 'two'].map((name) => ({ open: () => Readable.from([Buffer.from(name)]), name, owner: null }));

/** Everything that brings rows and bytes together or apart, on the file `id` in the storage `default`. */
export const OPERATIONS: Record<string, (world: World, id: string) => Promise<unknown>> = {
  'a creation': ({ files }) => files.create(Buffer.from('new'), { name: 'new' }),
  'a creation in a unit': ({ files, queue }) => queue.run(() => files.create(Buffer.from('new'), { name: 'new' })),
  'a creation of a batch': ({ creations }) => creations.create(BATCH),
  'a creation of a batch in a unit': ({ creations, queue }) => queue.run(() => creations.create(BATCH)),
  'a deletion': ({ files }, id) => files.delete(id),
  'a replacement': ({ files }, id) => files.replace(id, Buffer.from('other')),
  'a copy within the storage': ({ files }, id) => files.copy(id),
  'a copy to another storage': ({ files }, id) => files.copy(id, { storage: 'other' }),
  'a move': ({ files }, id) => files.move(id, 'other'),
  'a copy of all files of an owner': ({ files }) =>
    files.copyAll({ type: 'user', id: 'ada' }, { type: 'user', id: 'bob' }),
  'a copy of all files of an owner in a unit': ({ files, queue }) =>
    queue.run(() => files.copyAll({ type: 'user', id: 'ada' }, { type: 'user', id: 'bob' })),
  'a deletion of several files': async ({ files }) =>
    files.deleteAll((await files.search()).results.map(({ id }) => id)),
  'a registration': ({ files }) => files.register('dropped/in'),
  'much at once in a unit': ({ files, queue }, id) =>
    queue.run(async () => {
      const made = await files.create(Buffer.from('new'), { name: 'new' });
      await files.replace(id, Buffer.from('other'));
      await files.copy(id, { storage: 'other' });
      await files.delete(made.id);
      await files.move(id, 'other');
    }),
};

/** It moves some of the files where others cannot be copied, so it has no single outcome after a fault of a storage. */
export const BATCH_MOVE = 'a move of several files';

export async function moveBatch({ batches, files, registry }: World): Promise<void> {
  const { results } = await files.search();
  const terms = { concurrency: 2, signal: undefined, pace: undefined };
  const { moved } = await batches.move(results, registry.get('other'), terms);
  if (moved.length < results.length) throw new Error(`${moved.length} of ${results.length} were moved`);
}

/** A file to work on, and for a registration bytes that nobody knows. */
export async function prepare(world: World, operation: string): Promise<string> {
  if (operation === 'a registration')
    await world.registry.get('default').write('dropped/in', Readable.from([Buffer.from('dropped in')]));
  if (/several files|all files/.test(operation))
    for (const name of ['y', 'z'])
      await world.files.create(Buffer.from(`content ${name}`), { name, owner: { type: 'user', id: 'ada' } });
  return (await world.files.create(Buffer.from('content'), { name: 'x' })).id;
}

/** What is told of the files, without what is random. */
export async function told({ dataSource }: Pick<World, 'dataSource'>): Promise<string[]> {
  const rows = await dataSource.getRepository(ManagedFile).find();
  return rows.map(({ name, storage, size, hash }) => `${name} ${storage} ${size} ${hash}`).sort();
}
