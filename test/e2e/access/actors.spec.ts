import { Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { FilePolicy, ManagedFile, OwnerPolicy } from '../../../lib/index.js';
import type { Actor, FileAccessPolicy, FileOperation, FileOwnerPolicy, OwnerOperation } from '../../../lib/index.js';
import { formWith, PLATFORMS, startApp } from '../../support/http-app.js';

const heard: unknown[] = [];
const note = (who: string, actor: Actor | null): boolean => {
  heard.push([who, actor?.roles]);
  return true;
};

@Injectable()
@OwnerPolicy('package')
class PackageFiles implements FileOwnerPolicy {
  allows(_: OwnerOperation, actor: Actor | null): boolean {
    return note('owner policy', actor);
  }
}

@Injectable()
@FilePolicy()
class Hook implements FileAccessPolicy {
  allows(_: FileOperation, actor: Actor | null, _file: ManagedFile): null {
    note('file policy', actor);
    return null;
  }
}

/** Whom the guard of an application found in a token. */
const claimsOf = (context: ExecutionContext): Record<string, unknown> =>
  JSON.parse(context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-claims'] ?? '{}');

describe.each(PLATFORMS)('the option actor on %s', (platform) => {
  it('refuses who has no id, rather than make one owner of all of them', async () => {
    const app = await startApp({ platform, options: { actor: (context) => claimsOf(context) as unknown as Actor } });
    const headers = { 'x-claims': JSON.stringify({ sub: '7' }) };
    const response = await app.fetch('/files', { method: 'POST', headers, body: formWith('x') });
    expect([response.status, await response.json()]).toMatchObject([500, { code: 'FILES_OPTION_INVALID' }]);
    expect(await app.dataSource.getRepository(ManagedFile).count()).toBe(0);
  });

  it('gives policies and isManager all that is on the actor', async () => {
    const app = await startApp({
      platform,
      providers: [PackageFiles, Hook],
      options: {
        actor: (context) => {
          const { sub, roles } = claimsOf(context);
          return { type: 'user', id: sub as string, roles: roles as string[] };
        },
        isManager: (actor) => !note('isManager', actor),
        cascade: { package: true },
      },
    });
    const headers = { 'x-claims': JSON.stringify({ sub: 7, roles: ['editor'] }) };
    const made = await app.fetch('/files', { method: 'POST', headers, body: formWith('x') });
    const { id, ownerId } = (await made.json()) as { id: string; ownerId: string };
    expect(ownerId).toBe('7');
    await app.dataSource.getRepository(ManagedFile).update(id, { ownerType: 'package', ownerId: '1' });
    heard.length = 0;
    expect((await app.fetch(`/files/${id}`, { headers })).status).toBe(200);
    expect(heard).toEqual([
      ['isManager', ['editor']],
      ['file policy', ['editor']],
      ['owner policy', ['editor']],
    ]);
  });
});
