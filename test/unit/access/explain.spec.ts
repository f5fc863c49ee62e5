import { describe, expect, it } from 'vitest';
import { FilePolicy } from '../../../lib/access/file-policy.decorator.js';
import type { FileAccessPolicy } from '../../../lib/access/file-policy.decorator.js';
import { OwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import type { FileOwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import type { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { accessWith, fileOf } from '../../support/http-access.js';

const anna = { type: 'user', id: 'anna' };
const ben = { type: 'user', id: 'ben' };

/** Package 1 may be shown, package 2 may not, and others are not known. */
@OwnerPolicy('package')
class PackagePolicy implements FileOwnerPolicy {
  allows(operation: string, _actor: unknown, ownerId: string): boolean | null {
    if (ownerId === '1') return operation === 'read';
    return ownerId === '2' ? false : null;
  }
}

/** Files named public are everybody's, secret ones are nobody's. */
@FilePolicy()
class ByName implements FileAccessPolicy {
  allows(_operation: string, _actor: unknown, { name }: ManagedFile): boolean | null {
    if (name === 'public') return true;
    return name === 'secret' ? false : null;
  }
}

describe('FilesAccess.explain', () => {
  const setUp = () =>
    accessWith({ isManager: (actor) => actor?.id === 'ben', cascade: { package: ['default'] } }, [
      PackagePolicy,
      ByName,
    ]);

  it('names managers and owners', async () => {
    const access = await setUp();
    expect(await access.explain(ben, 'delete', fileOf('user:anna'))).toEqual({ allowed: true, rule: 'manager' });
    expect(await access.explain(anna, 'delete', fileOf('user:anna'))).toEqual({ allowed: true, rule: 'owner' });
  });

  it('names the hook that decided', async () => {
    const access = await setUp();
    const decision = { rule: 'file-policy', policy: 'ByName' };
    expect(await access.explain(anna, 'read', fileOf('package:2', { name: 'public' }))).toEqual({
      ...decision,
      allowed: true,
    });
    expect(await access.explain(anna, 'read', fileOf('package:1', { name: 'secret' }))).toEqual({
      ...decision,
      allowed: false,
    });
  });

  it.each([
    ['1', 'stream', 'read', true],
    ['1', 'pin', 'update', false],
    ['2', 'read', 'read', false],
    ['3', 'delete', 'delete', null],
  ] as const)('tells what the policy of package %s said about %s', async (id, operation, asked, answer) => {
    const access = await setUp();
    expect(await access.explain(anna, operation, fileOf(`package:${id}`))).toEqual({
      allowed: answer === true,
      rule: 'cascade',
      owner: { type: 'package', id },
      operation: asked,
      policy: 'PackagePolicy',
      answer,
    });
  });

  it.each([
    ['unowned', fileOf(null)],
    ['type-not-cascaded', fileOf('group:1')],
    ['type-not-cascaded', fileOf('user:carl')],
    ['type-not-cascaded', fileOf('toString:1')],
    ['storage-not-cascaded', fileOf('package:1', { storage: 'images' })],
  ])('tells that nobody was there to allow it: %s', async (reason, file) => {
    const access = await setUp();
    expect(await access.explain(anna, 'read', file)).toEqual({ allowed: false, rule: 'none', reason });
  });

  it('agrees with what is allowed, for lists too', async () => {
    const access = await setUp();
    const owners = [null, 'user:anna', 'user:carl', 'package:1', 'package:2', 'package:3', 'group:1'];
    const files = ['a', 'public', 'secret'].flatMap((name) => owners.map((owner) => fileOf(owner, { name })));
    for (const actor of [anna, ben, null]) {
      for (const operation of ['read', 'update', 'delete'] as const) {
        const decisions = await access.explainMany(actor, operation, files);
        const single = await Promise.all(files.map((file) => access.explain(actor, operation, file)));
        expect(decisions).toEqual(single);
        const allowed = await access.allowed(actor, operation, files);
        expect(allowed).toEqual(files.filter((_, index) => decisions[index]?.allowed === true));
      }
    }
  });
});
