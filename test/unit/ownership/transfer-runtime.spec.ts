import { DataSource } from 'typeorm';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { actAs, ActorSource } from '../../../lib/actor/actor.js';
import { TransferRuntime } from '../../../lib/ownership/transfer-runtime.js';
import type { ManagerCheck } from '../../../lib/ownership/transfer-runtime.js';
import { Transactor } from '../../../lib/unit-of-work/transactor.js';
import { IN_MEMORY } from '../../support/databases.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';

describe('the runtime of transfers', () => {
  const apps: OwnershipApp[] = [];
  const start = async (): Promise<OwnershipApp> => {
    const app = await ownershipApp();
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
  });

  it('belongs to the application that opened the data source', async () => {
    const [one, other] = [await start(), await start()];
    expect(TransferRuntime.of(one.dataSource)).toBe(one.app.get(TransferRuntime));
    expect(TransferRuntime.of(other.dataSource)).toBe(other.app.get(TransferRuntime));
    expect(() => TransferRuntime.of(new DataSource(IN_MEMORY))).toThrow('belongs to no running FilesModule');
  });

  it('is found without a data source as long as there is only one', async () => {
    expect(() => TransferRuntime.only()).toThrow('A file was validated while no FilesModule is running');
    const one = await start();
    expect(TransferRuntime.only()).toBe(one.app.get(TransferRuntime));
    const other = await start();
    expect(() => TransferRuntime.only()).toThrow(
      /outside of a unit of work, and 2 applications with FilesModule run in this process, so the library cannot know/,
    );
    await apps.pop()?.close();
    expect(TransferRuntime.only()).toBe(one.app.get(TransferRuntime));
    expect(() => TransferRuntime.of(other.dataSource)).toThrow('belongs to no running');
  });

  it('stays that of the application that was started last on a data source, when another one ends', async () => {
    const one = await start();
    const first = one.app.get(TransferRuntime);
    const second = new TransferRuntime(
      new Transactor(one.dataSource),
      one.app.get(ActorSource),
      first.content,
      first.quotas,
    );
    second.onModuleInit();
    first.end();
    expect(TransferRuntime.of(one.dataSource)).toBe(second);
    second.end();
    expect(() => TransferRuntime.of(one.dataSource)).toThrow('belongs to no running FilesModule');
  });
});

describe('the question whether the actor is a manager', () => {
  const ada = { type: 'user', id: 'ada' };

  async function runtimeWith(...check: ManagerCheck[]) {
    const app = await ownershipApp();
    onTestFinished(() => app.close());
    const { content, quotas } = app.app.get(TransferRuntime);
    return new TransferRuntime(new Transactor(app.dataSource), app.app.get(ActorSource), content, quotas, ...check);
  }
  const as = <T>(actor: typeof ada | null, work: () => Promise<T>) => actAs(actor, work);

  it('is asked once in a call, and again in the next one of the same actor', async () => {
    const asked: unknown[] = [];
    const runtime = await runtimeWith((actor) => asked.push(actor) === 1);
    for (const isManager of [true, false]) {
      await as(ada, async () => {
        for (let time = 0; time < 2; time++) expect(await runtime.actor()).toEqual({ actor: ada, isManager });
      });
    }
    expect(asked).toEqual([ada, ada]);
  });

  it('is asked again in the next call after a failure', async () => {
    const asked: unknown[] = [];
    const runtime = await runtimeWith(async (actor) => {
      if (asked.push(actor) === 1) throw new Error('the directory of users is away');
      return true;
    });
    await expect(as(ada, () => runtime.actor())).rejects.toThrow('is away');
    expect(await as(ada, () => runtime.actor())).toEqual({ actor: ada, isManager: true });
  });

  it('is answered no unless the application says yes', async () => {
    for (const runtime of [await runtimeWith(), await runtimeWith(() => 'yes' as never)]) {
      expect(await as(ada, () => runtime.actor())).toEqual({ actor: ada, isManager: false });
    }
  });
});
