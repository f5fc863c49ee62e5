import { describe, expect, it } from 'vitest';
import { assertBesideFactory, checkOptions } from '../../lib/files.options.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';

const storages = { default: memoryStorage(), images: memoryStorage() };

describe('the options of the module', () => {
  it('have defaults that are closed', () => {
    const options = checkOptions({ storages });
    expect(options).toMatchObject({
      defaultStorage: 'default',
      uploads: 'managers',
      cascade: {},
      transferAsUpdate: true,
      shutdownTimeout: 10_000,
      concurrentRemovals: 4,
    });
    expect(options.isManager({ type: 'user', id: '1' })).toBe(false);
  });

  it.each([
    ['storages', { storages: {} }],
    ['storages', { storages: undefined as never }],
    ['defaultStorage', { storages: { images: memoryStorage() } }],
    ['defaultStorage', { storages, defaultStorage: 'toString' }],
    ['uploads', { storages, uploads: { storages: ['videos'] } }],
    ['uploads', { storages, uploads: 'everybody' as never }],
    ['uploads', { storages, uploads: null as never }],
    ['cascade', { storages, cascade: { user: true as const } }],
    ['scanAs', { storages, scanAs: 'delete' as never }],
    ['scanAsUpdate', { storages, scanAsUpdate: false } as never],
    ['cascade', { storages, cascade: { package: ['videos'] } }],
    ['cascade', { storages, cascade: { package: false as never } }],
    ['installation', { storages, installation: ' ' }],
    ['concurrentRemovals', { storages, concurrentRemovals: 0 }],
    ['concurrentRemovals', { storages, concurrentRemovals: 1.5 }],
    ['shutdownTimeout', { storages, shutdownTimeout: -1 }],
    ['shutdownTimeout', { storages, shutdownTimeout: Number.NaN }],
    ['shutdownTimeout', { storages, shutdownTimeout: 2 ** 31 }],
    ['shutdownTimeout', { storages, shutdownTimeout: '5s' as never }],
  ])('name "%s" when it cannot be honoured', (option, options) => {
    expect(() => checkOptions(options)).toThrow(`FilesModule option "${option}"`);
  });

  it.each(['http', 'dataSource'])('are refused from a factory where it is too late for %s', (option) => {
    expect(() => assertBesideFactory({ storages, [option]: false })).toThrow(`FilesModule option "${option}"`);
    expect(() => assertBesideFactory({ storages })).not.toThrow();
  });
});
