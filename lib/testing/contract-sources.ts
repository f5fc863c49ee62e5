import assert from 'node:assert/strict';
import { once } from 'node:events';
import { ContentSpentError } from '../errors/files.errors.js';
import { LocationNotFoundError, LocationTakenError } from '../errors/storage.errors.js';
import { failing, source } from './contract-samples.js';
import type { ContractTest } from './contract-samples.js';

/** What becomes of a source that breaks, or that is not taken. */
export function contractOfSources(test: ContractTest): void {
  test('leaves nothing behind when the source fails, and passes its error on', async (storage) => {
    const fault = new Error('the source failed');
    await assert.rejects(storage.write('failed', failing(fault)), (error) => error === fault);
    await assert.rejects(storage.read('failed'), LocationNotFoundError);
    await storage.write('failed', source('again'));
  });

  test('leaves nothing behind when the source is cut off', async (storage) => {
    const content = failing(undefined);
    await assert.rejects(storage.write('cut', content));
    await assert.rejects(storage.read('cut'), LocationNotFoundError);
    await storage.write('cut', source('again'));
  });

  test('refuses a source that was read before', async (storage) => {
    const content = source('con', 'tent');
    await once(content, 'readable');
    content.read(1);
    await assert.rejects(storage.write('spent', content), ContentSpentError);
    assert.equal(content.destroyed, true);
    await assert.rejects(storage.read('spent'), LocationNotFoundError);
  });

  test('destroys a source that it does not take', async (storage) => {
    await storage.write('taken', source('first'));
    const content = source('second');
    await assert.rejects(storage.write('taken', content), LocationTakenError);
    assert.equal(content.destroyed, true);
  });
}
