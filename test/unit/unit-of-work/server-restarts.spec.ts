import { Logger } from '@nestjs/common';
import { afterAll, describe, expect, it } from 'vitest';
import { databaseOn } from '../../support/databases.js';
import { privateServer } from '../../support/private-server.js';
import { holdConnections, openNotes } from '../../support/unit-notes.js';

Logger.overrideLogger(false);

const server = await privateServer();
afterAll(() => server?.stop());

describe.runIf(server)('a PostgreSQL server that restarts', () => {
  it('rolls back the units that are open, and serves the next ones', async () => {
    const app = await openNotes(databaseOn(new URL(server!.url)), { poolSize: 4 });
    await app.write('before');
    const { end, ends, undone } = await holdConnections(app, 3);
    await server!.restart();
    end.open();
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(undone).toHaveLength(3);
    await Promise.all([1, 2, 3, 4, 5].map((at) => app.transactor.run(() => app.write(`next ${at}`))));
    expect((await app.notes.find()).map(({ id }) => id).toSorted()).toEqual([
      'before',
      ...[1, 2, 3, 4, 5].map((at) => `next ${at}`),
    ]);
    await app.dataSource.destroy();
  });
});
