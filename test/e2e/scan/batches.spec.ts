import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { FilesService, ManagedFile } from 'nestjs-files';
import type { FilesModuleOptions } from 'nestjs-files';
import { FileRefusedError } from 'nestjs-files/errors';
import { FilesMover } from 'nestjs-files/maintenance';
import { FilesScans } from 'nestjs-files/scan';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ByteRemovals } from '../../../lib/files/content/byte-removals.js';
import { memoryStorage } from '../../../lib/storage/adapters/memory.storage.js';
import type { Storage } from '../../../lib/storage/storage.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { startApp } from '../../support/http-app.js';
import { ScriptedScanner } from '../../support/scripted-scanner.js';

const ANNA = { type: 'user', id: 'anna' };
const BEN = { type: 'user', id: 'ben' };

async function world(kind: TestDatabase, options: Partial<FilesModuleOptions> = {}) {
  const { options: database, drop } = await kind.create();
  onTestFinished(() => drop());
  const [scanner, another] = [new ScriptedScanner(), new ScriptedScanner('another')];
  const storages = {
    default: memoryStorage(),
    scanned: memoryStorage({ scan: scanner }),
    same: memoryStorage({ scan: scanner }),
    other: memoryStorage({ scan: another }),
  } satisfies Record<string, Storage>;
  const app = await startApp({
    database,
    options: { storages, scanning: { attempts: 2, backoff: 1 }, sweeper: false, ...options },
  });
  const files = app.app.get(FilesService);
  const statesOf = async (ids: readonly string[]) => (await files.findMany(ids)).map(({ scan }) => scan);
  return {
    ...app,
    files,
    scanner,
    another,
    storages,
    statesOf,
    create: (content: string, storage = 'scanned', owner = ANNA) =>
      files.create(Buffer.from(content), { name: 'a.txt', storage, owner }),
    /** Puts bytes that nothing refers to into the storage. */
    put: async (storage: keyof typeof storages, contents: readonly string[]) => {
      for (const [at, content] of contents.entries())
        await storages[storage].write(`there/${at}.txt`, Readable.from([Buffer.from(content)]));
      return contents.map((_, at) => ({ location: `there/${at}.txt`, storage }));
    },
    become: (ids: readonly string[], states: readonly (string | null)[]) =>
      vi.waitFor(async () => expect(await statesOf(ids)).toEqual(states), { timeout: 20_000 }),
    move: async (from: string, to: string) => {
      const outcomes: string[] = [];
      for await (const outcome of app.app.get(FilesMover).run({ from, to }))
        outcomes.push(outcome.kind === 'failed' ? String((outcome.error as { code?: string }).code) : outcome.kind);
      return outcomes;
    },
    locations: async (storage: keyof typeof storages) => {
      await app.app.get(ByteRemovals).idle();
      const found: string[] = [];
      for await (const { location } of storages[storage].list()) found.push(location);
      return found.toSorted();
    },
  };
}

/** Verdicts wait for the test. */
function hold(scanner: ScriptedScanner): () => void {
  const { opened, open } = gate();
  scanner.script = async (content) => {
    const found = await text(content);
    await opened;
    return found.includes('virus') ? { clean: false, finding: 'Scripted.Virus' } : { clean: true };
  };
  return open;
}

const idsOf = (files: Iterable<ManagedFile>) => [...files].map(({ id }) => id);

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'many files and a scanner on $name',
  (kind) => {
    it('registers them as pending, and scans each', async () => {
      const app = await world(kind);
      const open = hold(app.scanner);
      const made = await app.files.registerAll(await app.put('scanned', ['hello', 'a virus', 'third']));
      expect(made.map(({ scan, scanner }) => [scan, scanner])).toEqual(Array(3).fill(['pending', 'scripted']));
      expect((await app.fetch(`/files/${made[0]!.id}/content`, { user: 'admin' })).status).toBe(409);
      open();
      await app.become(idsOf(made), ['clean', 'infected', 'clean']);
    });

    it('moves them into a storage with a scanner, where nobody gets one before it is clean', async () => {
      const app = await world(kind);
      const made = [await app.create('hello', 'default'), await app.create('a virus', 'default')];
      const open = hold(app.scanner);
      expect(await app.move('default', 'scanned')).toEqual(['moved', 'moved']);
      expect(await app.statesOf(idsOf(made))).toEqual(['pending', 'pending']);
      await expect(app.files.stream(made[1]!.id)).rejects.toMatchObject({ code: 'FILES_FILE_PENDING' });
      open();
      await app.become(idsOf(made), ['clean', 'infected']);
    });

    it('moves pending ones to the same scanner, which then scans them there', async () => {
      const app = await world(kind);
      const open = hold(app.scanner);
      const made = [await app.create('hello'), await app.create('a virus')];
      expect(await app.move('scanned', 'same')).toEqual(['moved', 'moved']);
      open();
      await app.become(idsOf(made), ['clean', 'infected']);
    });

    it('keeps the verdicts of a scanner of the same name, and asks another one again', async () => {
      const app = await world(kind);
      const made = [await app.create('hello'), await app.create('a virus')];
      await app.become(idsOf(made), ['clean', 'infected']);
      const before = app.scanner.scans;
      expect(await app.move('scanned', 'same')).toEqual(['moved', 'moved']);
      expect(await app.files.findMany(idsOf(made))).toMatchObject([
        { scan: 'clean', finding: null },
        { scan: 'infected', finding: 'Scripted.Virus' },
      ]);
      expect(app.scanner.scans).toBe(before);
      const open = hold(app.another);
      expect(await app.move('same', 'other')).toEqual(['moved', 'moved']);
      expect(await app.files.findMany(idsOf(made))).toMatchObject([
        { scan: 'pending', scanner: 'another', finding: null },
        { scan: 'pending', scanner: 'another', finding: null },
      ]);
      open();
      await app.become(idsOf(made), ['clean', 'infected']);
    });

    it('moves only the clean ones to a storage without a scanner', async () => {
      const app = await world(kind);
      const made = [await app.create('hello'), await app.create('a virus'), await app.create('third')];
      await app.become(idsOf(made), ['clean', 'infected', 'clean']);
      const outcomes = await app.move('scanned', 'default');
      expect(outcomes.toSorted((one, other) => one.localeCompare(other))).toEqual([
        'FILES_FILE_INFECTED',
        'moved',
        'moved',
      ]);
      expect(await app.files.findMany(idsOf(made))).toMatchObject([
        { storage: 'default', scan: null, scanner: null },
        { storage: 'scanned', scan: 'infected' },
        { storage: 'default', scan: null },
      ]);
    });

    it('copies them for another owner with their verdicts, and scans copies of pending ones', async () => {
      const app = await world(kind);
      const scanned = [await app.create('hello'), await app.create('a virus')];
      await app.become(idsOf(scanned), ['clean', 'infected']);
      const open = hold(app.scanner);
      const pending = await app.create('a virus, too');
      const copies = await app.files.copyAll(ANNA, BEN);
      const ids = [...idsOf(scanned), pending.id].map((id) => copies.get(id)!);
      expect(await app.statesOf(ids)).toEqual(['clean', 'infected', 'pending']);
      open();
      await app.become(ids, ['clean', 'infected', 'infected']);
    });

    it('registers none and copies none if a hook refuses one, and leaves no bytes of copies', async () => {
      let refused = 'second';
      const app = await world(kind, {
        onStored: async (file, { operation }) => {
          if (operation !== 'create' && file.name === `${refused}.txt`) throw new FileRefusedError('No.');
        },
      });
      const places = await app.put('scanned', ['one', 'two']);
      const named = places.map((place, at) => ({ ...place, name: `${['first', 'second'][at]}.txt`, owner: ANNA }));
      await expect(app.files.registerAll(named)).rejects.toMatchObject({ code: 'FILES_FILE_REFUSED' });
      expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(0);
      expect(await app.locations('scanned')).toEqual(['there/0.txt', 'there/1.txt']);
      expect(app.scanner.scans).toBe(0);
      refused = 'none';
      await app.files.registerAll(named);
      refused = 'second';
      await expect(app.files.copyAll(ANNA, BEN)).rejects.toMatchObject({ code: 'FILES_FILE_REFUSED' });
      expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(2);
      expect(await app.locations('scanned')).toEqual(['there/0.txt', 'there/1.txt']);
      expect(await app.dataSource.query('SELECT id FROM files_intent')).toEqual([]);
    });

    it('gives no address of a file that nobody may read', async () => {
      const app = await world(kind);
      const made = [await app.create('hello'), await app.create('a virus')];
      await app.become(idsOf(made), ['clean', 'infected']);
      const open = hold(app.scanner);
      const pending = await app.create('later');
      const addresses = await app.files.addressesOf([...idsOf(made), pending]);
      expect([...addresses.keys()]).toEqual([made[0]!.id]);
      open();
      await app.become([pending.id], ['clean']);
      expect((await app.files.addressesOf([pending.id])).size).toBe(1);
    });

    it('keeps what a scan finds while the bytes are moved or copied', async () => {
      const app = await world(kind);
      const made = [await app.create('one'), await app.create('two'), await app.create('three')];
      const ids = idsOf(made);
      await app.become(ids, ['clean', 'clean', 'clean']);
      const [alone, ...batch] = ids as [string, string, string];
      app.scanner.script = async (content) => {
        await text(content);
        return { clean: false, finding: 'Of today' };
      };
      let rescanned: Promise<void> | undefined;
      const rescan = () =>
        (rescanned ??= app.app
          .get(FilesScans)
          .rescan({ states: ['clean'] })
          .then(() => app.become(ids, ['infected', 'infected', 'infected'])));
      const { same } = app.storages;
      const [write, copy] = [same.write.bind(same), same.copy.bind(same)];
      same.write = async (...of) => {
        await write(...of);
        await rescan();
      };
      same.copy = async (...of) => {
        await copy(...of);
        await rescan();
      };
      const [copied, moved] = await Promise.all([
        app.files.copy(alone, { storage: 'same' }),
        app.files.move(alone, 'same'),
      ]);
      expect([moved.scan, moved.finding]).toEqual(['infected', 'Of today']);
      // If the move is committed first, the copy is of content that is elsewhere by now, and is scanned itself.
      expect(copied.scan).not.toBe('clean');
      await app.become([copied.id], ['infected']);
      const again = async (some: string[]) => {
        await app.dataSource.getRepository(ManagedFile).update(some, { scan: 'clean', finding: null });
        rescanned = undefined;
      };
      await again(batch);
      expect(await app.move('scanned', 'same')).toEqual(['moved', 'moved']);
      expect(await app.statesOf(ids)).toEqual(['infected', 'infected', 'infected']);
      await again(ids);
      const copies = await app.files.copyAll(ANNA, BEN);
      expect(new Set(await app.statesOf([...copies.values()]))).toEqual(new Set(['infected']));
    });
  },
);
