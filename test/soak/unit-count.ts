import { tracingChannel } from 'node:diagnostics_channel';
import { FILES_CHANNELS } from 'nestjs-files/diagnostics';
import type { UnitTrace } from 'nestjs-files/diagnostics';

/** Counts units of work by what became of them. */
export class UnitCount {
  readonly ended: Record<'commit' | 'rollback' | 'unknown' | 'none', number> = {
    commit: 0,
    rollback: 0,
    unknown: 0,
    none: 0,
  };
  open = 0;

  constructor() {
    const end = (outcome: UnitTrace['outcome']): void => {
      this.open--;
      this.ended[outcome ?? 'none']++;
    };
    tracingChannel<unknown, UnitTrace>(FILES_CHANNELS.unit).subscribe({
      start: () => void this.open++,
      end: () => undefined,
      asyncStart: () => undefined,
      asyncEnd: ({ outcome }) => end(outcome),
      error: () => undefined,
    });
  }
}
