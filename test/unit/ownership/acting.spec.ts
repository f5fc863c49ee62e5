import type { ExecutionContext } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actAs, ActorSource } from '../../../lib/actor/actor.js';
import { TaskQueue } from '../../../lib/task-queue/task-queue.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';

const ben = { type: 'user', id: 'ben' };

describe('actAs', () => {
  let app: OwnershipApp;
  beforeAll(async () => void (app = await ownershipApp()));
  afterAll(() => app.close());

  const who = async () => (await app.app.get(ActorSource).current())?.id;
  /** What a route of ada's does. */
  const route = <T>(work: () => Promise<T>) =>
    app.queue.runQueued((queue) => {
      queue.context = {} as ExecutionContext;
      return work();
    });

  it('says who acts where no call is around, and only there', async () => {
    expect([await actAs(ben, who), await who()]).toEqual(['ben', undefined]);
    expect(await actAs(ben, () => app.queue.run(who))).toBe('ben');
    expect(await actAs(ben, () => TaskQueue.detach(who))).toBe('ben');
  });

  it('overrides the actor of the route around it', async () => {
    expect(await route(() => actAs(ben, who))).toBe('ben');
    expect(await route(() => actAs(ben, () => app.queue.run(who)))).toBe('ben');
    expect(await route(() => actAs(null, who))).toBeUndefined();
  });

  it('is overridden by a route inside of it', async () => {
    expect(await actAs(ben, () => route(who))).toBe('ada');
    expect(await actAs(ben, () => route(() => app.queue.run(who)))).toBe('ada');
  });
});
