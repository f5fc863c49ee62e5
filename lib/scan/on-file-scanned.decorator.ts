import { SetMetadata } from '@nestjs/common';
import type { ScanState } from '../files/public-file.js';

/** Metadata key of a method that is called for each scanned file. */
export const ON_FILE_SCANNED = Symbol('ON_FILE_SCANNED');

/** What a hook is told besides the file. */
export interface ScannedContext {
  /** The verdict, or `failed` if no attempt gave one. */
  readonly state: Exclude<ScanState, 'pending'>;
  /** What was found in infected content; why the scan failed; null for clean content. */
  readonly finding: string | null;
  /** The state before; null if the content was not scanned before. */
  readonly previous: ScanState | null;
}

type ScannedMethod = (file: never, context: ScannedContext) => void | Promise<void>;

/**
 * Makes a provider's method be called when a file was scanned, in the unit of work that saves the verdict: to notify
 * the owner and managers, or to empty the field of the record that names an infected file. If it throws, the verdict is
 * not saved, and the scan is tried again.
 * @example
 * @OnFileScanned()
 * tell(file: ManagedFile, { state }: ScannedContext) {
 *   if (state === 'infected') this.queue.enqueue('warn', { fileId: file.id });
 * }
 */
export function OnFileScanned(): <T extends ScannedMethod>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<T>,
) => void {
  return SetMetadata(ON_FILE_SCANNED, true);
}
