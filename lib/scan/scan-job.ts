import { FileJob } from '../jobs/file-job.decorator.js';
import type { JobContext } from '../jobs/file-job.decorator.js';
import { SCAN_JOB } from '../files/scan/scan-state.js';
import type { ScanPayload } from '../files/scan/scan-state.js';
import type { StorageRegistry } from '../storage/storage-registry.js';
import type { ScanRuns } from './scan-runs.js';
import type { CheckedScanningOptions } from './scanning-options.js';

/** The handler of the job, for `JobHandlers` to find. */
export const SCAN_HANDLER = Symbol('SCAN_HANDLER');

// A run that has ended by its own time limit has to save that.
const GRACE = 30_000;

/**
 * A provider that runs the scans, with the application's limits; null where nothing has a scanner, so that no engine
 * looks for them.
 */
export function createScanHandler(
  runs: ScanRuns,
  { attempts, backoff, timeout, concurrency }: CheckedScanningOptions,
  storages: StorageRegistry,
): object | null {
  const isAnyScanned =
    storages.names.some((name) => storages.get(name).scanner) || storages.ownerTypesScanned.length > 0;
  if (!isAnyScanned) return null;

  const gaveUp = (payload: unknown, why: string): Promise<void> => runs.gaveUp(payload as ScanPayload, why);

  class ScanHandler {
    @FileJob(SCAN_JOB, { attempts, backoff, concurrency, timeout: timeout + GRACE, unit: false, gaveUp })
    run(payload: ScanPayload, context: JobContext): Promise<void> {
      return runs.run(payload, context);
    }
  }
  return new ScanHandler();
}
