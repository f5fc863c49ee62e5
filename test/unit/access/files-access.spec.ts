import { describe, expect, it } from 'vitest';
import { FilePolicy } from '../../../lib/access/file-policy.decorator.js';
import type { FileAccessPolicy } from '../../../lib/access/file-policy.decorator.js';
import type { FileOperation } from '../../../lib/access/operations.js';
import { OwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import type { FileOwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import { accessWith, fileOf } from '../../support/http-access.js';

const anna = { type: 'user', id: 'anna' };
const ben = { type: 'user', id: 'ben' };
const OPERATIONS: FileOperation[] = ['read', 'stream', 'update', 'delete', 'transfer', 'pin'];

/** Package 1 may be shown to everybody, package 2 is Ben's; packages do not know about others. */
@OwnerPolicy('package')
class PackagePolicy implements FileOwnerPolicy {
  asked: string[] = [];
  allows(operation: string, actor: { id: string } | null, ownerId: string): boolean | null {
    this.asked.push(`${operation} ${ownerId}`);
    if (ownerId === '1') return operation === 'read';
    return ownerId === '2' ? actor?.id === 'ben' : null;
  }
}

function hook(answer: boolean | null): new () => FileAccessPolicy {
  @FilePolicy()
  class Hook implements FileAccessPolicy {
    async allows(): Promise<boolean | null> {
      return answer;
    }
  }
  return Hook;
}

describe('FilesAccess', () => {
  it('allows a manager everything, and asks for nothing else', async () => {
    const access = await accessWith({ isManager: async (actor) => actor?.id === 'ben' }, [hook(false)]);
    for (const operation of OPERATIONS) {
      expect(await access.can(ben, operation, fileOf('user:anna'))).toBe(true);
      expect(await access.can(anna, operation, fileOf(null))).toBe(false);
    }
  });

  it('allows the user who owns the file everything', async () => {
    const access = await accessWith({});
    for (const operation of OPERATIONS) {
      expect(await access.can(anna, operation, fileOf('user:anna'))).toBe(true);
      expect(await access.can(ben, operation, fileOf('user:anna'))).toBe(false);
    }
    expect(await access.can({ type: 'bot', id: 'anna' }, 'read', fileOf('user:anna'))).toBe(false);
  });

  it.each(OPERATIONS)('refuses an anonymous actor to %s any file', async (operation) => {
    const access = await accessWith({});
    for (const owner of [null, 'user:anna', 'package:1', 'null:null']) {
      expect(await access.can(null, operation, fileOf(owner))).toBe(false);
    }
  });

  it('follows the policy of the owner where the cascade lists its type', async () => {
    const open = await accessWith({ cascade: { package: true } }, [PackagePolicy]);
    expect(await open.can(null, 'read', fileOf('package:1'))).toBe(true);
    expect(await open.can(null, 'stream', fileOf('package:1'))).toBe(true);
    expect(await open.can(anna, 'update', fileOf('package:1'))).toBe(false);
    expect(await open.can(ben, 'delete', fileOf('package:2'))).toBe(true);
    expect(await open.can(ben, 'read', fileOf('package:3'))).toBe(false);
    expect(await open.can(ben, 'read', fileOf('resource:2'))).toBe(false);
    const closed = await accessWith({}, [PackagePolicy]);
    expect(await closed.can(ben, 'read', fileOf('package:2'))).toBe(false);
  });

  it('follows it only in the storages that the cascade names', async () => {
    const access = await accessWith({ cascade: { package: ['images'] } }, [PackagePolicy]);
    expect(await access.can(ben, 'read', fileOf('package:2', { storage: 'images' }))).toBe(true);
    expect(await access.can(ben, 'read', fileOf('package:2'))).toBe(false);
  });

  it('asks hooks before the policy of the owner', async () => {
    const refusing = await accessWith({ cascade: { package: true } }, [PackagePolicy, hook(false)]);
    expect(await refusing.can(ben, 'read', fileOf('package:2'))).toBe(false);
    const allowing = await accessWith({ cascade: { package: true } }, [PackagePolicy, hook(true)]);
    expect(await allowing.can(null, 'delete', fileOf('package:2'))).toBe(true);
    const silent = await accessWith({ cascade: { package: true } }, [PackagePolicy, hook(null)]);
    expect(await silent.can(ben, 'read', fileOf('package:2'))).toBe(true);
    expect(await silent.can(anna, 'read', fileOf('package:2'))).toBe(false);
  });

  it.each([
    ['first', [hook(false), hook(true)]],
    ['last', [hook(true), hook(false)]],
  ])('lets a hook that refuses win when it is %s', async (_, hooks) => {
    const access = await accessWith({}, hooks);
    expect(await access.can(anna, 'read', fileOf(null))).toBe(false);
  });

  it('does not let a hook refuse the user who owns the file', async () => {
    const access = await accessWith({}, [hook(false)]);
    expect(await access.can(anna, 'read', fileOf('user:anna'))).toBe(true);
  });

  it('hands on what a policy throws', async () => {
    @FilePolicy()
    class Broken implements FileAccessPolicy {
      allows(): boolean {
        throw new Error('no connection');
      }
    }
    const access = await accessWith({}, [Broken]);
    await expect(access.can(anna, 'read', fileOf(null))).rejects.toThrow('no connection');
  });
});

describe('FilesAccess, for lists', () => {
  it('keeps the allowed ones in their order, with one call for each owner type', async () => {
    const calls: string[][] = [];
    @OwnerPolicy('package')
    class Batched implements FileOwnerPolicy {
      allows(): boolean {
        throw new Error('asked one by one');
      }
      allowsMany(_operation: string, _actor: unknown, ownerIds: readonly string[]): string[] {
        calls.push([...ownerIds]);
        return ownerIds.filter((id) => id !== '2');
      }
    }
    const access = await accessWith({ cascade: { package: true } }, [Batched]);
    const files = ['package:1', 'package:2', 'user:anna', 'package:1', null].map((owner) => fileOf(owner));
    expect(await access.allowed(anna, 'read', files)).toEqual([files[0], files[2], files[3]]);
    expect(calls).toEqual([['1', '2']]);
  });

  it.each([
    ['numbers', [1, 2]],
    ['bigints', [1n, 2n]],
    ['a set', new Set([1, '2'])],
    ['objects with a text', [{ toString: () => '1' }, { toString: () => '2' }]],
  ])('compares ids as texts, also where the policy gives %s', async (_, answer) => {
    @OwnerPolicy('package')
    class Numeric implements FileOwnerPolicy {
      allows(): boolean {
        throw new Error('asked one by one');
      }
      allowsMany(): Iterable<string> {
        return answer as Iterable<string>;
      }
    }
    const access = await accessWith({ cascade: { package: true } }, [Numeric]);
    const files = ['package:1', 'package:2', 'package:3'].map((owner) => fileOf(owner));
    expect(await access.allowed(anna, 'read', files)).toEqual(files.slice(0, 2));
  });

  it.each([
    ['a list with undefined in it', [undefined]],
    ['a list with null in it', [null]],
    ['a list with object in it', [{ id: '1' }]],
    ['a list with boolean in it', [true, true]],
    ['string', '12'],
    ['boolean', true],
    ['object', {}],
  ])('throws, naming the policy, where it gives %s', async (found, answer) => {
    @OwnerPolicy('package')
    class Mistaken implements FileOwnerPolicy {
      allows(): boolean {
        return true;
      }
      allowsMany(): Iterable<string> {
        return answer as Iterable<string>;
      }
    }
    const access = await accessWith({ cascade: { package: true } }, [Mistaken]);
    const allowed = access.allowed(anna, 'read', [fileOf('package:1'), fileOf('package:2')]);
    await expect(allowed).rejects.toThrow(`Mistaken.allowsMany() gave ${found}.`);
  });

  it('asks once for each owner where the policy answers one by one', async () => {
    const access = await accessWith({ cascade: { package: true } }, [PackagePolicy]);
    const files = ['package:1', 'package:2', 'package:1'].map((owner) => fileOf(owner));
    expect(await access.allowed(anna, 'read', files)).toEqual([files[0], files[2]]);
  });
});

describe('FilesAccess.assertCan', () => {
  it('hides that a file exists from an actor who may not see it', async () => {
    const access = await accessWith({});
    for (const operation of OPERATIONS) {
      await expect(access.assertCan(anna, operation, fileOf('user:ben'))).rejects.toMatchObject({
        code: 'FILES_FILE_NOT_FOUND',
      });
    }
  });

  it('tells who sees a file that more is not allowed, or not without signing in', async () => {
    const access = await accessWith({ cascade: { package: true } }, [PackagePolicy]);
    const file = fileOf('package:1');
    await expect(access.assertCan(anna, 'delete', file)).rejects.toMatchObject({ code: 'FILES_ACCESS_DENIED' });
    await expect(access.assertCan(null, 'delete', file)).rejects.toMatchObject({
      code: 'FILES_AUTHENTICATION_REQUIRED',
    });
    await expect(access.assertCan(null, 'stream', file)).resolves.toBeUndefined();
  });
});

describe('FilesAccess, for owners', () => {
  const owner = { type: 'package', id: '2' };

  it('asks the policy of the type, with or without a cascade', async () => {
    const access = await accessWith({}, [PackagePolicy]);
    expect(await access.canOwner(ben, 'update', owner)).toBe(true);
    expect(await access.canOwner(anna, 'update', owner)).toBe(false);
    expect(await access.canOwner(ben, 'update', { type: 'package', id: '3' })).toBe(false);
    expect(await access.canOwner(ben, 'update', { type: 'resource', id: '2' })).toBe(false);
    await expect(access.assertCanOwner(anna, 'update', owner)).rejects.toMatchObject({ code: 'FILES_ACCESS_DENIED' });
  });

  it('lets users do everything with themselves', async () => {
    const access = await accessWith({});
    expect(await access.canOwner(anna, 'scan', anna)).toBe(true);
    expect(await access.canOwner(ben, 'scan', anna)).toBe(false);
    expect(await access.canOwner(null, 'scan', anna)).toBe(false);
  });

  it('lets update answer for receive and scan unless told otherwise', async () => {
    @OwnerPolicy('package')
    class Updates implements FileOwnerPolicy {
      allows(operation: string): boolean {
        return operation === 'update';
      }
    }
    const asUpdate = await accessWith({}, [Updates]);
    const apart = await accessWith({ transferAsUpdate: false }, [Updates]);
    const scanApart = await accessWith({ scanAs: 'scan' }, [Updates]);
    expect(await asUpdate.canOwner(ben, 'receive', owner)).toBe(true);
    expect(await asUpdate.canOwner(ben, 'scan', owner)).toBe(true);
    expect(await apart.canOwner(ben, 'receive', owner)).toBe(false);
    expect(await apart.canOwner(ben, 'scan', owner)).toBe(true);
    expect(await scanApart.canOwner(ben, 'scan', owner)).toBe(false);
    // Who may open all files of an owner may list them, too.
    const open = await accessWith({ cascade: { package: true } }, [Updates]);
    expect(await open.canOwner(ben, 'scan', owner)).toBe(false);
    const partly = await accessWith({ cascade: { package: ['images'] } }, [Updates]);
    expect(await partly.canOwner(ben, 'scan', owner)).toBe(true);
  });
});

describe('FilesAccess, for uploads', () => {
  const isManager = (actor: { id: string } | null) => actor?.id === 'ben';

  it('is closed to all but managers by default', async () => {
    const access = await accessWith({ isManager });
    expect(await access.canUpload(ben, 'default')).toBe(true);
    expect(await access.canUpload(anna, 'default')).toBe(false);
    await expect(access.assertCanUpload(anna, 'default')).rejects.toMatchObject({ code: 'FILES_ACCESS_DENIED' });
    await expect(access.assertCanUpload(null, 'default')).rejects.toMatchObject({
      code: 'FILES_AUTHENTICATION_REQUIRED',
    });
  });

  it('can be open to those who are signed in, everywhere or in some storages', async () => {
    const everywhere = await accessWith({ uploads: 'authenticated' });
    expect(await everywhere.canUpload(anna, 'default')).toBe(true);
    expect(await everywhere.canUpload(null, 'default')).toBe(false);
    const images = await accessWith({ isManager, uploads: { storages: ['images'] } });
    expect(await images.canUpload(anna, 'images')).toBe(true);
    expect(await images.canUpload(anna, 'default')).toBe(false);
    expect(await images.canUpload(null, 'images')).toBe(false);
    expect(await images.canUpload(ben, 'default')).toBe(true);
  });

  it('can be decided by a function, also for strangers', async () => {
    const access = await accessWith({ uploads: async (actor, storage) => actor === null && storage === 'inbox' });
    expect(await access.canUpload(null, 'inbox')).toBe(true);
    expect(await access.canUpload(anna, 'inbox')).toBe(false);
  });
});
