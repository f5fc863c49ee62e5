import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/databases.js';
import type { Bytes } from './bytes.js';
import { Matrix } from './matrix.js';
import { OPERATIONS } from './operations.js';
import type { Operation } from './operations.js';
import { disturb, rehearse } from './trial.js';
import type { Disturbance, Verdict } from './trial.js';
import { gather } from './troupe.js';
import type { Troupe, Way } from './troupe.js';

/** On which database what happens to the portal, and how often: `every: 3` is a third of all cells. */
export interface Plan {
  readonly database: TestDatabase;
  readonly way: Way;
  readonly every: number;
  /** Where the portals keep their bytes; in directories unless said. */
  readonly newBytes?: () => Promise<Bytes>;
  /** What they do; all that the portal does unless said. */
  readonly operations?: Record<string, Operation>;
}

// Starting processes takes long on a machine that is busy.
const TIMEOUT = 600_000;

/** Disturbs every operation of the portal at its points, holds it to its word, and prints the matrix. */
export function describeCrashes(plans: readonly Plan[]): void {
  const matrix = new Matrix();

  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => {
    Logger.overrideLogger(['log', 'warn', 'error']);
    console.log(`\n${matrix.toString()}\n`);
  });

  describe.each(plans)(
    'the portal on $database.name, when $way',
    ({ database, way, every, newBytes, operations = OPERATIONS }) => {
      let troupe: Troupe | undefined;
      let count = 0;

      beforeAll(async () => void (troupe = await gather(database, way, newBytes)), TIMEOUT);
      afterAll(() => troupe?.close());

      it.each(Object.entries(operations))(
        'keeps its word wherever it is in "%s"',
        async (name, operation) => {
          const { seats, renew, awaitAll } = troupe!;
          const [first, ...others] = seats;
          const { stage, subject } = first!;
          // The first time, connections are opened.
          if (!renew) await rehearse(stage, subject, operation);
          const rehearsal = await rehearse(stage, subject, operation);
          const cells = cellsOf(subject.faults, rehearsal.points);
          const batches = batchesOf(cells, seats.length).filter(() => count++ % every === 0);
          if (batches.length === 0) return;
          const rehearsals = await Promise.all(others.map((seat) => rehearse(seat.stage, seat.subject, operation)));
          rehearsals.unshift(rehearsal);
          await renew?.();
          const verdicts = new Map<Cell, Verdict>();
          for (const batch of batches) {
            awaitAll(batch.length);
            const disturbed = batch.map(async (cell, index) => {
              const seat = seats[index]!;
              verdicts.set(
                cell,
                await disturb(seat.stage, seat.subject, operation, { ...cell, rehearsal: rehearsals[index]! }),
              );
            });
            await Promise.all(disturbed);
          }
          const failures: string[] = [];
          for (const cell of cells) {
            const verdict = verdicts.get(cell);
            if (!verdict) continue;
            matrix.add(`${database.name}, ${way}`, name, cell.fault, verdict);
            failures.push(
              ...verdict.problems.map((problem) => `${cell.fault} at ${cell.at}, ${cell.point}: ${problem}`),
            );
          }
          expect(failures).toEqual([]);
        },
        TIMEOUT,
      );
    },
  );
}

type Cell = Pick<Disturbance, 'at' | 'fault'> & { readonly point: string };

/** So many at once, from all over. */
function batchesOf(cells: readonly Cell[], size: number): Cell[][] {
  const count = Math.ceil(cells.length / size);
  return Array.from({ length: count }, (_, batch) => cells.filter((_cell, index) => index % count === batch));
}

function cellsOf(faults: readonly string[], points: readonly string[]): Cell[] {
  return faults.flatMap((fault) => points.map((point, index) => ({ fault, at: index + 1, point })));
}
