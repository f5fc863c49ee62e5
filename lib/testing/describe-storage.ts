import assert from 'node:assert/strict';
import { CapabilityMissingError } from '../errors/storage.errors.js';
import type { StorageAdapter } from '../storage/storage-adapter.js';
import type { StorageLimits } from '../storage/storage-limits.js';
import { STORAGE_VERBS } from '../storage/storage-verbs.js';
import type { StorageVerb } from '../storage/storage-verbs.js';
import { Storage } from '../storage/storage.js';
import { contractOfContent } from './contract-content.js';
import { listed, source, urlRequest } from './contract-samples.js';
import type { ContractTest } from './contract-samples.js';
import { contractOfResumableUploads } from './contract-resumable.js';
import { contractOfSources } from './contract-sources.js';
import { contractOfVerbs } from './contract-verbs.js';
import { contractOfUploads } from './contract-uploads.js';
import { skippable, testFramework } from './test-framework.js';
import type { TestFramework } from './test-framework.js';

const USES: Readonly<Record<StorageVerb, (storage: Storage) => Promise<unknown>>> = {
  write: (storage) => storage.write('x', source('x')),
  read: (storage) => storage.read('x'),
  remove: (storage) => storage.remove('x'),
  stat: (storage) => storage.exists('x'),
  copy: (storage) => storage.copy('x', 'y'),
  move: (storage) => storage.move('x', 'y'),
  list: (storage) => listed(storage),
  publicUrl: (storage) => storage.publicUrl('x'),
  temporaryUrl: (storage) => storage.temporaryUrl('x', urlRequest()),
  directUploads: (storage) => storage.direct('x', (uploads) => uploads.abort('x')),
  resumableUploads: (storage) => storage.resumable('x', (uploads) => uploads.abort('x')),
};

/**
 * Makes an empty adapter, or an empty storage with these limits. It is called for every test.
 * @example () => new BucketAdapter(new Bucket())
 * @example (limits) => fsStorage({ root: newDirectory(), ...limits })
 */
export type StorageFactory = (
  limits: StorageLimits,
) => Storage | StorageAdapter | Promise<Storage> | Promise<StorageAdapter>;

/**
 * What every adapter has to keep, as tests:
 * `describeStorage('bucket', () => new BucketAdapter(new Bucket()), { describe, it })`. Tests of a verb that the
 * adapter does not have are skipped, and say why.
 */
export function describeStorage(name: string, factory: StorageFactory, framework?: TestFramework): void {
  const { describe, it } = testFramework(framework);
  const make = async (limits: StorageLimits = {}): Promise<Storage> => {
    const made = await factory(limits);
    const storage = made instanceof Storage ? made : new Storage(made, limits);
    await storage.connect();
    return storage;
  };
  const test: ContractTest = (title, run, ...needs) =>
    it(
      title,
      skippable(`${name}: ${title}`, async (skip) => {
        const storage = await make();
        const missing = (['write', 'read', ...needs] as const).filter((verb) => !storage.can(verb));
        if (missing.length > 0) return skip(`the adapter has no ${missing.join(', no ')}`);
        await run(storage);
      }),
    );

  describe(`storage contract: ${name}`, () => {
    contractOfContent(test);
    contractOfVerbs(test);
    contractOfSources(test);
    contractOfUploads(test);
    contractOfResumableUploads(test);

    const markTitle = 'keeps a mark';
    it(
      markTitle,
      skippable(`${name}: ${markTitle}`, async (skip) => {
        const storage = await make();
        const { markPlace } = storage;
        if (!markPlace) return skip('the adapter has no markPlace');
        assert.equal(await markPlace.read(), undefined);
        const winners = await Promise.all(['one', 'two'].map((mark) => markPlace.create(mark)));
        assert.equal(winners.filter(Boolean).length, 1);
        assert.equal(await markPlace.read(), winners[0] ? 'one' : 'two');
        await markPlace.replace('three');
        assert.deepEqual([await markPlace.read(), await markPlace.create('four')], ['three', false]);
        if (storage.can('list')) for await (const { location } of storage.list()) assert.fail(location);
      }),
    );

    for (const verb of STORAGE_VERBS) {
      it(`says clearly that it cannot ${verb}, where it cannot`, async () => {
        const storage = await make({ disable: [verb] });
        assert.equal(storage.can(verb), false);
        await assert.rejects(USES[verb](storage), (error) => {
          return error instanceof CapabilityMissingError && error.missing.includes(verb);
        });
      });
    }
  });
}
