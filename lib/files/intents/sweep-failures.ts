import type { Logger } from '@nestjs/common';
import { FileStorageMissingError } from '../../errors/files.errors.js';
import { ShuttingDownError } from '../../errors/units.errors.js';
import type { SweepReport } from './sweep-report.js';

/** What one sweep could not do: in the report, and in the log. */
export class SweepFailures {
  readonly #missing = new Map<string, number>();

  constructor(
    private readonly report: SweepReport,
    private readonly logger: Logger,
  ) {}

  /** Runs `work`; what it throws is noted here, so that the sweep goes on. */
  async attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // The next sweep takes the step again.
      if (error instanceof ShuttingDownError) return;
      this.report.failed++;
      if (error instanceof FileStorageMissingError)
        this.#missing.set(error.storage, (this.#missing.get(error.storage) ?? 0) + 1);
      else this.logger.warn(`Could not sweep ${what}: ${String(error)}`);
    }
  }

  /** Logs the storages that are not configured: one line each, however much is in them. */
  tell(): void {
    for (const [storage, count] of this.#missing)
      this.logger.warn(
        `Could not sweep ${count} intents, direct uploads and expired uploads with bytes in storage "${storage}", which is not configured. Add it to the option ` +
          '`storages` until they are swept; if its bytes are gone, delete its rows from files_intent and files_upload, and those of its derived files from files_file.',
      );
  }
}
