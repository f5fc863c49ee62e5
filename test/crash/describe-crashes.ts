import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/databases.js';
import { newDirectory } from '../support/files-directory.js';
import { Matrix } from './matrix.js';
import { OPERATIONS } from './operations.js';
import { compilePortal } from './portal/portal-process.js';
import { Stage } from './stage.js';
import { CutPortal } from './subjects/cut-portal.js';
import { FailingStoragePortal } from './subjects/failing-storage-portal.js';
import { KilledPortal } from './subjects/killed-portal.js';
import type { Subject } from './subjects/subject.js';
import { disturb, rehearse } from './trial.js';

const WAYS = {
  'its process is killed': async (stage: Stage) => KilledPortal.start(await compiled(), stage),
  'its connection is cut': (stage: Stage) => CutPortal.start(stage),
  'its storage fails': (stage: Stage) => FailingStoragePortal.start(stage),
} satisfies Record<string, (stage: Stage) => Promise<Subject>>;

type Way = keyof typeof WAYS;

/** On which database what happens to the portal, and at how many of all cells: `every: 3` is every third. */
export interface Plan {
  readonly database: TestDatabase;
  readonly way: Way;
  readonly every: number;
}

let module: Promise<string> | undefined;
const compiled = () => (module ??= compilePortal(newDirectory()));

/** Disturbs every operation of the portal at its points, holds it to its word, and prints the matrix. */
export function describeCrashes(plans: readonly Plan[]): void {
  const matrix = new Matrix();

  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => {
    Logger.overrideLogger(['log', 'warn', 'error']);
    console.log(`\n${matrix.toString()}\n`);
  });

  describe.each(plans)('the portal on $database.name, when $way', ({ database, way, every }) => {
    let stage: Stage;
    let subject: Subject;
    let cell = 0;

    beforeAll(async () => {
      stage = await Stage.build(database);
      subject = await WAYS[way](stage);
      // The first time, connections are opened and tables looked up.
      for (const operation of Object.keys(OPERATIONS)) await rehearse(stage, subject, operation);
    }, 60_000);

    afterAll(async () => {
      await subject?.close();
      await stage?.close();
    });

    it.each(Object.keys(OPERATIONS))('keeps its word wherever it is in "%s"', async (operation) => {
      const failures: string[] = [];
      const rehearsal = await rehearse(stage, subject, operation);
      for (const fault of subject.faults) {
        for (const [index, point] of rehearsal.points.entries()) {
          if (cell++ % every !== 0) continue;
          const { isDone, problems } = await disturb(stage, subject, operation, { at: index + 1, fault, rehearsal });
          matrix.add(`${database.name}, ${way}`, operation, fault, problems.length > 0 ? '!' : isDone ? '+' : '-');
          failures.push(...problems.map((problem) => `${fault} at ${index + 1}, ${point}: ${problem}`));
        }
      }
      expect(failures).toEqual([]);
    });
  });
}
