import { DataSource } from 'typeorm';
import { afterEach, describe, expect, it } from 'vitest';
import { TransferRuntime } from '../../../lib/ownership/transfer-runtime.js';
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

  it('is that of the application whose data source it is', async () => {
    const [one, other] = [await start(), await start()];
    expect(TransferRuntime.of(one.dataSource)).toBe(one.app.get(TransferRuntime));
    expect(TransferRuntime.of(other.dataSource)).toBe(other.app.get(TransferRuntime));
    expect(() => TransferRuntime.of(new DataSource(IN_MEMORY))).toThrow('belongs to no running FilesModule');
  });

  it('is the only one there is, as long as there is one', async () => {
    expect(() => TransferRuntime.only()).toThrow('A file was validated while no FilesModule is running');
    const one = await start();
    expect(TransferRuntime.only()).toBe(one.app.get(TransferRuntime));
    const other = await start();
    expect(() => TransferRuntime.only()).toThrow(
      /outside of a unit of work, and 2 applications with FilesModule run in this process, so it cannot be told/,
    );
    await apps.pop()?.close();
    expect(TransferRuntime.only()).toBe(one.app.get(TransferRuntime));
    expect(() => TransferRuntime.of(other.dataSource)).toThrow('belongs to no running');
  });
});
