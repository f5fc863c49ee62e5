import { newDirectory } from '../support/files-directory.js';
import type { TestDatabase } from '../support/databases.js';
import { DirectoryBytes } from './bytes.js';
import type { Bytes } from './bytes.js';
import { compilePortal } from './portal/portal-process.js';
import { Stage } from './stage.js';
import { CutOffPortal } from './subjects/cut-off-portal.js';
import { CutPortal } from './subjects/cut-portal.js';
import { FailingStoragePortal } from './subjects/failing-storage-portal.js';
import { KilledPortals } from './subjects/killed-portals.js';
import type { Subject } from './subjects/subject.js';

interface Seat {
  readonly stage: Stage;
  readonly subject: Subject;
}

/** Portals of one kind, each on a stage of its own, that can be disturbed at the same time. */
export interface Troupe {
  readonly seats: readonly Seat[];
  /** Starts a new process, where each disturbance is to meet one. */
  readonly renew?: () => Promise<void>;
  /** Called before so many of them are disturbed at once. */
  awaitAll(count: number): void;
  close(): Promise<void>;
}

export type Way = 'its process is killed' | 'its connection is cut' | 'its storage fails' | 'its network is cut';

const PORTALS = {
  'its storage fails': FailingStoragePortal,
  'its connection is cut': CutPortal,
  'its network is cut': CutOffPortal,
};

// One process serves that many portals: a server has so many connections.
const PER_PROCESS = 5;

let module: Promise<string> | undefined;

/** On new bytes for each stage: in a directory, unless somewhere else is said. */
export async function gather(
  database: TestDatabase,
  way: Way,
  newBytes: () => Promise<Bytes> = async () => new DirectoryBytes(),
): Promise<Troupe> {
  const stages: Stage[] = [];
  for (let built = 0; built < (way === 'its process is killed' ? PER_PROCESS : 1); built++)
    stages.push(await Stage.build(database, await newBytes()));
  const closing = async (portals: { close(): Promise<void> }) => {
    await portals.close();
    for (const stage of stages) await stage.close();
  };
  if (way === 'its process is killed') {
    module ??= compilePortal(newDirectory());
    const all = await KilledPortals.start(await module, stages);
    const seats = all.portals.map((subject, index) => ({ stage: stages[index]!, subject }));
    return { seats, renew: () => all.replace(), awaitAll: (count) => all.awaitAll(count), close: () => closing(all) };
  }
  const stage = stages[0]!;
  const subject = await PORTALS[way].start(stage);
  return { seats: [{ stage, subject }], awaitAll: () => undefined, close: () => closing(subject) };
}
