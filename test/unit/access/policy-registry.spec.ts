import { Injectable, Scope } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { OwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import type { FileOwnerPolicy } from '../../../lib/access/owner-policy.decorator.js';
import { accessWith } from '../../support/http-access.js';

@OwnerPolicy('package')
class Open implements FileOwnerPolicy {
  allows(): boolean {
    return true;
  }
}

const owner = { type: 'package', id: '1' };

describe('policies', () => {
  it('stops the boot over a type in the cascade that has none', async () => {
    await expect(accessWith({ cascade: { package: true, group: true } }, [Open])).rejects.toThrow(
      'FilesModule option "cascade": "group" has no policy. Add a provider decorated with @OwnerPolicy(\'group\')',
    );
  });

  it('stops the boot over two for one type', async () => {
    @OwnerPolicy('package')
    class Other extends Open {}
    await expect(accessWith({}, [Open, Other])).rejects.toThrow('Open is the policy of "package" already');
  });

  it('takes a class that is provided twice once', async () => {
    const access = await accessWith({}, [Open, { provide: 'again', useClass: Open }]);
    expect(await access.canOwner(null, 'read', owner)).toBe(true);
  });

  it('stops the boot over one that depends on the request', async () => {
    @OwnerPolicy('package')
    @Injectable({ scope: Scope.REQUEST })
    class Scoped extends Open {}
    await expect(accessWith({}, [Scoped])).rejects.toThrow(
      '@OwnerPolicy() on Scoped: a policy and its dependencies must be singletons',
    );
  });

  it.each([
    ['a value', { provide: 'policy', useValue: new Open() }],
    ['a factory', { provide: 'policy', useFactory: async () => new Open() }],
  ])('finds one that is provided by %s', async (_, provider) => {
    const access = await accessWith({}, [provider]);
    expect(await access.canOwner(null, 'read', owner)).toBe(true);
  });
});
