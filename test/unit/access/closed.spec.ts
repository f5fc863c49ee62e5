import { describe, expect, it } from 'vitest';
import { FilePolicy } from '../../../lib/access/file-policy.decorator.js';
import { OWNER_POLICY, OwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import { accessWith, fileOf } from '../../support/http-access.js';

const anna = { type: 'user', id: 'anna' };
const owner = { type: 'package', id: '1' };
const NEITHER = [undefined, 0, 1, '', 'true', 'false', {}, [true], Number.NaN];

function ownerPolicy(methods: object): new () => never {
  @OwnerPolicy('package')
  class Policy {
    allows(): boolean {
      return true;
    }
  }
  Object.assign(Policy.prototype, methods);
  return Policy as new () => never;
}

function filePolicy(methods: object): new () => never {
  @FilePolicy()
  class Hook {
    allows(): boolean | null {
      return null;
    }
  }
  Object.assign(Hook.prototype, methods);
  return Hook as new () => never;
}

describe('access', () => {
  it.each(NEITHER)('is refused where the policy of an owner says %j', async (answer) => {
    const access = await accessWith({ cascade: { package: true } }, [ownerPolicy({ allows: async () => answer })]);
    expect(await access.can(anna, 'read', fileOf('package:1'))).toBe(false);
    expect(await access.canOwner(anna, 'update', owner)).toBe(false);
    expect(await access.explain(anna, 'read', fileOf('package:1'))).toMatchObject({ rule: 'cascade', answer: false });
  });

  it.each(NEITHER)('is refused where a hook says %j, whatever others and the owner say', async (answer) => {
    const policies = [filePolicy({ allows: () => answer }), filePolicy({ allows: () => true }), ownerPolicy({})];
    const access = await accessWith({ cascade: { package: true } }, policies);
    expect(await access.can(anna, 'read', fileOf('package:1'))).toBe(false);
  });

  it.each([undefined, null, '12', [], [3, 4], [true, true], [['1'], ['2']], [{}], {}, true])(
    'is refused where the policy of owners answers %j for a list',
    async (answer) => {
      const access = await accessWith({ cascade: { package: true } }, [ownerPolicy({ allowsMany: () => answer })]);
      const allowed = access.allowed(anna, 'read', [fileOf('package:1'), fileOf('package:2')]);
      expect(await allowed.catch(() => [])).toEqual([]);
    },
  );

  it.each([undefined, null, 'true', [], [true], { 0: true }, true])(
    'is refused where a hook answers %j for a list',
    async (answer) => {
      const policies = [filePolicy({ allowsMany: () => answer }), ownerPolicy({})];
      const access = await accessWith({ cascade: { package: true } }, policies);
      const files = [fileOf('package:1'), fileOf('package:2')];
      const allowed = await access.allowed(anna, 'read', files).catch(() => []);
      expect(allowed).not.toContain(files[1]);
    },
  );

  it.each(NEITHER)('is refused where isManager or uploads say %j', async (answer) => {
    const access = await accessWith({ isManager: () => answer as never, uploads: () => answer as never });
    expect(await access.isManager(anna)).toBe(false);
    expect(await access.can(anna, 'read', fileOf(null))).toBe(false);
    expect(await access.canUpload(anna, 'default')).toBe(false);
  });

  it.each([
    ['a policy', { cascade: { package: true as const } }, [ownerPolicy({ allows: () => fail() })]],
    ['a hook', {}, [filePolicy({ allows: () => fail() })]],
    ['isManager', { isManager: () => fail() }, []],
  ])('is refused where %s throws', async (_, options, policies) => {
    const access = await accessWith(options, policies);
    await expect(access.can(anna, 'read', fileOf('package:1'))).rejects.toThrow('no connection');
    await expect(access.explain(anna, 'read', fileOf('package:1'))).rejects.toThrow('no connection');
  });

  it.each([
    ['one hook rejects and another throws', [filePolicy({ allows: reject }), filePolicy({ allows: fail })]],
    ['a hook rejects for one file and throws for the next', [filePolicy({ allows: rejectThenThrow() })]],
    ['hooks reject and throw for lists', [filePolicy({ allowsMany: reject }), filePolicy({ allowsMany: fail })]],
    ['a policy rejects for one owner and throws for the next', [ownerPolicy({ allows: rejectThenThrow() })]],
  ])('is refused, and the process lives on, where %s', async (_, policies) => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const ofOwners = policies.some((policy) => Reflect.hasMetadata(OWNER_POLICY, policy));
    const all = ofOwners ? policies : [...policies, ownerPolicy({})];
    const access = await accessWith({ cascade: { package: true } }, all);
    const files = [fileOf('package:1'), fileOf('package:2')];
    await expect(access.allowed(anna, 'read', files)).rejects.toThrow('no connection');
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});

function reject(): Promise<never> {
  return Promise.reject(new Error('no connection'));
}

function rejectThenThrow(): () => unknown {
  let calls = 0;
  return () => (calls++ === 0 ? reject() : fail());
}

function fail(): never {
  throw new Error('no connection');
}
