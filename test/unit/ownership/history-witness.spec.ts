import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FileTransfer } from '../../../lib/ownership/file-transfer.entity.js';
import { PortableStatements } from '../../../lib/ownership/statements/portable.statements.js';
import type { Move, TransferStatements } from '../../../lib/ownership/statements/transfer-statements.js';
import { transferStatementsFor } from '../../../lib/ownership/statements/transfer-statements-for.js';
import { ambientOf } from '../../../lib/unit-of-work/scopes/here.js';
import type { Witness } from '../../../lib/unit-of-work/transaction/commit-outcome.js';
import { reachableDatabases } from '../../support/databases.js';
import { ownershipApp } from '../../support/ownership-app.js';
import type { OwnershipApp } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';

const terms = { actor: null, isManager: false, force: false, pin: true };
const databases = await reachableDatabases('postgres', 'mariadb');
const forms = databases.flatMap((database) => [
  { form: database.name, database, statementsFor: transferStatementsFor },
  { form: `${database.name}, portable`, database, statementsFor: (): TransferStatements => new PortableStatements() },
]);

describe.each(forms)('the witness of the history on $form', ({ database, statementsFor }) => {
  let app: OwnershipApp;
  let statements: TransferStatements;
  beforeAll(async () => {
    app = await ownershipApp({ database });
    statements = statementsFor(app.dataSource);
  });
  afterAll(() => app?.close());

  const move = (fileId: string, toId = '7'): Move => ({ fileId, toType: 'part', toId, field: null, from: 'anyone' });

  /** The witnesses that the moves leave in a unit of work. */
  async function witnessesOf(moves: Move[], end: () => void = () => undefined): Promise<readonly Witness[]> {
    let found: readonly Witness[] = [];
    const unit = app.queue.run(async () => {
      await statements.transfer(app.dataSource.manager, moves, terms);
      const here = ambientOf(app.dataSource);
      if (here?.kind === 'scope') found = here.transaction.witnesses;
      end();
    });
    await unit.catch(() => undefined);
    return found;
  }

  /** What the witness says in a transaction that is undone, as those are that it is asked in. */
  async function ask(witness: Witness): Promise<unknown> {
    let answer: unknown;
    const asking = app.dataSource.transaction(async (manager) => {
      answer = await witness(manager);
      throw new Error('undone');
    });
    await expect(asking).rejects.toThrow('undone');
    return answer;
  }
  const rows = () => app.dataSource.getRepository(FileTransfer).count();

  it('confirms that the unit of work was committed', async () => {
    const files = [
      await insertFile(app.dataSource, { ownerType: 'part', ownerId: '7' }),
      await insertFile(app.dataSource),
    ];
    const witnesses = await witnessesOf(files.map((id) => move(id)));
    expect(witnesses).toHaveLength(1);
    const before = await rows();
    expect(await ask(witnesses[0]!)).toBe('committed');
    expect(await rows()).toBe(before);
  });

  it('denies that it was committed, and leaves no row behind and wakes no subscriber', async () => {
    const [witness] = await witnessesOf([move(await insertFile(app.dataSource))], () => {
      throw new Error('later');
    });
    const before = await rows();
    const heard: unknown[] = [];
    const subscriber = { beforeInsert: (event: unknown) => void heard.push(event) };
    app.dataSource.subscribers.push(subscriber);
    onTestFinished(() => void app.dataSource.subscribers.splice(app.dataSource.subscribers.indexOf(subscriber), 1));
    expect(await ask(witness!)).toBe('rolled back');
    expect([await rows(), heard]).toEqual([before, []]);
  });

  it('gives no answer where the database cannot be asked', async () => {
    const [witness] = await witnessesOf([move(await insertFile(app.dataSource))]);
    const runner = app.dataSource.createQueryRunner();
    await runner.release();
    await expect(witness!(runner.manager)).rejects.toThrow();
  });

  it('is missing where no file moved, or outside of a unit of work', async () => {
    const kept = await insertFile(app.dataSource, { ownerType: 'part', ownerId: '7' });
    const pinned = await insertFile(app.dataSource, { ownerType: 'user', ownerId: 'ada', pinned: true });
    expect(await witnessesOf([move(kept)])).toEqual([]);
    expect(await witnessesOf([move(await insertFile(app.dataSource)), move(pinned)])).toEqual([]);
    const id = await insertFile(app.dataSource);
    await app.dataSource.transaction((manager) => statements.transfer(manager, [move(id)], terms));
    expect(await app.ownership.history(id)).toHaveLength(1);
  });
});
