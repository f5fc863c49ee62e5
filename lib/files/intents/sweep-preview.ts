import { In } from 'typeorm';
import { LocationNotFoundError } from '../../errors/storage.errors.js';
import { locationKey } from '../../storage/location-key.js';
import type { Storage } from '../../storage/storage.js';
import type { StorageRegistry } from '../../storage/storage-registry.js';
import type { Transactor } from '../../unit-of-work/transactor.js';
import { FileUpload } from '../uploads/file-upload.entity.js';
import { FileIntent } from './file-intent.entity.js';
import type { IntentKind } from './file-intent.entity.js';
import { isDue } from './intent-leases.js';
import { ManagedFile } from '../managed-file.entity.js';
import { MARKERS, readMarker } from './marker-intent.js';

/** The work of a sweep on bytes that no file's row refers to, or whose file was never attached. */
export interface SweepStep {
  /** The name of the storage. */
  storage: string;
  /** Where in the storage. */
  location: string;
  /**
   * The interrupted operation. A marker is an intent that lies beside the bytes, on SQLite; an upload is one that a
   * client sends to the storage itself; a draft is a file that was uploaded and not attached in time.
   */
  kind: IntentKind | 'marker' | 'upload' | 'draft';
  /** When the intent was written, the upload was begun, or the file was uploaded. */
  since: Date;
  /**
   * `remove` the bytes; `keep` them, because a file refers to them, so that only the intent goes; `wait`, because it is
   * not due yet.
   */
  outcome: 'remove' | 'keep' | 'wait';
}

/** The deletion of an expired draft. */
export function stepOf({ storage, location, createdAt: since }: ManagedFile): SweepStep {
  return { storage, location, kind: 'draft', since, outcome: 'remove' };
}

interface Preview {
  now: Date;
  /** Intents to create that are older have been abandoned. */
  abandonedBefore: Date;
  limit: number;
}

/** The work that a sweep would do now: intents, the oldest first, then uploads, then markers. */
export async function previewSweep(
  transactor: Transactor,
  storages: StorageRegistry,
  preview: Preview,
): Promise<SweepStep[]> {
  const steps = await intentsOf(transactor, preview);
  steps.push(...(await uploadsOf(transactor, { ...preview, limit: preview.limit - steps.length })));
  for (const name of storages.names) {
    for await (const step of markersOf(storages.get(name), preview)) {
      if (steps.length >= preview.limit) break;
      steps.push(step);
    }
  }
  const isReferred = await referredTo(transactor, steps);
  return steps.map((step) => (step.outcome === 'remove' && isReferred(step) ? { ...step, outcome: 'keep' } : step));
}

async function intentsOf({ dataSource }: Transactor, preview: Preview): Promise<SweepStep[]> {
  const intents = await dataSource
    .getRepository(FileIntent)
    .find({ order: { createdAt: 'ASC', id: 'ASC' }, take: preview.limit });
  return intents.map((intent) => {
    const { storage, location, kind, createdAt: since } = intent;
    return { storage, location, kind, since, outcome: isDue(intent, preview) ? 'remove' : 'wait' };
  });
}

async function uploadsOf({ dataSource }: Transactor, { now, abandonedBefore, limit }: Preview): Promise<SweepStep[]> {
  // To TypeORM, 0 is no limit.
  if (limit <= 0) return [];
  const uploads = await dataSource
    .getRepository(FileUpload)
    .find({ order: { expiresAt: 'ASC', id: 'ASC' }, take: limit });
  return uploads.map(({ storage, location, createdAt: since, expiresAt, endedAt }) => {
    const isDue = expiresAt <= (endedAt === null ? now : abandonedBefore);
    return { storage, location, kind: 'upload', since, outcome: isDue ? 'remove' : 'wait' };
  });
}

async function* markersOf(storage: Storage, { abandonedBefore }: Preview): AsyncGenerator<SweepStep, void> {
  if (storage.isTransactional || !storage.can('list', 'read', 'remove')) return;
  for await (const { location: marker, modifiedAt: since } of storage.list(MARKERS)) {
    const location = await readMarker(storage, marker).catch(missing);
    if (location === undefined) continue;
    const outcome = since > abandonedBefore ? 'wait' : 'remove';
    yield { storage: storage.name, location, kind: 'marker', since, outcome };
  }
}

async function referredTo(
  { dataSource }: Transactor,
  steps: readonly SweepStep[],
): Promise<(step: SweepStep) => boolean> {
  const keys = [...new Set(steps.map(({ location }) => locationKey(location)))];
  const files = await dataSource.getRepository(ManagedFile).findBy({ locationKey: In(keys) });
  return ({ storage, location }) =>
    files.some((file) => file.storage === storage && file.locationKey === locationKey(location));
}

// The process that left the marker has removed it meanwhile.
function missing(error: unknown): undefined {
  if (!(error instanceof LocationNotFoundError)) throw error;
}
