import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { reasonOf } from '../errors/reason-of.js';
import { FilesSweeper } from '../files/intents/files-sweeper.js';
import { FilesJobs } from '../jobs/files-jobs.js';
import type { FileScanner } from '../storage/file-scanner.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { endsWithin } from '../unit-of-work/ends-within.js';
import { readHealthOptions } from './health-options.js';
import type { FilesHealthOptions, FilesHealthPart } from './health-options.js';

/** One question to one part. */
interface Question {
  /** Its name in the result: `storage:default`. */
  readonly key: string;
  /** Questions with the same subject are asked once. */
  readonly subject: unknown;
  readonly remedy: string;
  /** Gives what the result tells besides; throws what is wrong. */
  ask(signal: AbortSignal): Promise<Record<string, unknown>>;
}

// A request that hangs may have been lost. So a part is asked once more, and no third time.
const MOST_OPEN = 2;

const NOT_ASKED = { message: 'It has no way to be asked, and counts as up.' };

/**
 * Tells `@nestjs/terminus` which part does not answer. It is a provider of the application's module, beside
 * `TerminusModule`. Each part is asked with one cheap request or statement, and checks at the same time share it.
 * Nothing is changed.
 * @example this.health.check([() => this.files.check()])
 */
@Injectable()
export class FilesHealthIndicator {
  readonly #asked = new Map<unknown, Promise<Record<string, unknown>>>();
  /** How many requests to a subject have not ended. */
  readonly #open = new Map<unknown, number>();

  /** @internal */
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly storages: StorageRegistry,
    private readonly jobs: FilesJobs,
    private readonly sweeper: FilesSweeper,
  ) {}

  /**
   * An entry for each storage (`storage:default`), the scanner of each storage (`scanner:default`), the engine of jobs
   * (`jobs`) and the oldest intent (`intents`). An entry that is down has a `message` and a `remedy`. Throws
   * `OptionInvalidError`.
   */
  async check(options: FilesHealthOptions = {}): Promise<HealthIndicatorResult> {
    const { parts, timeout, maxIntentAge } = readHealthOptions(options, this.sweeper.patience);
    const questions: Record<FilesHealthPart, () => Question[]> = {
      storages: () => this.storages.names.map((name) => this.#storage(name)),
      scanners: () => [
        ...this.storages.names.flatMap((name) => this.#scanner(name, this.storages.get(name).scanner) ?? []),
        ...Object.entries(this.storages.ownerScanners).flatMap(
          ([type, one]) => this.#scanner(`owner:${type}`, one) ?? [],
        ),
      ],
      jobs: () => [this.#engine()],
      intents: () => [this.#intents(maxIntentAge)],
    };
    const asked = [...new Set(parts)].flatMap((part) => questions[part]());
    return Object.assign({}, ...(await Promise.all(asked.map((one) => this.#answer(one, timeout))))) as never;
  }

  async #answer({ key, subject, remedy, ask }: Question, timeout: number): Promise<HealthIndicatorResult> {
    const session = this.health.check(key);
    // Each may hold a connection, or a thread of the process, for as long as it hangs.
    const open = this.#open.get(subject) ?? 0;
    if (open >= MOST_OPEN && !this.#asked.has(subject))
      return session.down({ message: `It has not answered the last ${open} requests, which still wait.`, remedy });
    const answer = this.#asked.get(subject) ?? this.#ask(subject, () => ask(AbortSignal.timeout(timeout)));
    try {
      if (await endsWithin(answer, timeout)) return session.up(await answer);
      // A request that never ends must not answer for the next check.
      this.#asked.delete(subject);
      return session.down({ message: `It did not answer within ${timeout} ms.`, remedy });
    } catch (error) {
      const facts = error instanceof Overdue ? error.facts : {};
      return session.down({ message: reasonOf(error), remedy, ...facts });
    }
  }

  #ask(subject: unknown, ask: () => Promise<Record<string, unknown>>): Promise<Record<string, unknown>> {
    this.#open.set(subject, (this.#open.get(subject) ?? 0) + 1);
    const answer = ask().finally(() => {
      this.#end(subject);
      if (this.#asked.get(subject) === answer) this.#asked.delete(subject);
    });
    this.#asked.set(subject, answer);
    // It may come when nobody waits any more.
    answer.catch(() => undefined);
    return answer;
  }

  #end(subject: unknown): void {
    const open = (this.#open.get(subject) ?? 1) - 1;
    if (open > 0) this.#open.set(subject, open);
    else this.#open.delete(subject);
  }

  #storage(name: string): Question {
    const storage = this.storages.get(name);
    return {
      key: `storage:${name}`,
      subject: storage,
      remedy:
        'See whether its server runs, and takes connections from this machine; for a directory, whether it is mounted. `npx nestjs-files storages --check` tells more.',
      ask: async () => ((await storage.ping()) ? {} : NOT_ASKED),
    };
  }

  #scanner(name: string, scanner: FileScanner | undefined): Question | undefined {
    return (
      scanner && {
        key: `scanner:${name}`,
        subject: scanner,
        remedy:
          'See whether it runs, and takes connections from this machine. New files are pending until it does; `npx nestjs-files rescan` queues those that have failed.',
        ask: (signal) => pingScanner(scanner, signal),
      }
    );
  }

  #engine(): Question {
    return {
      key: 'jobs',
      subject: this.jobs,
      remedy:
        'See whether the server of the engine runs: Redis for bullmqJobs(), the database for the others. No job is lost meanwhile.',
      ask: async () => ((await this.jobs.ping()) ? {} : NOT_ASKED),
    };
  }

  #intents(maxAge: number): Question {
    return {
      key: 'intents',
      // Another limit is another question.
      subject: `intents ${maxAge}`,
      remedy:
        'See why sweeps fail: the log has "The sweep failed" or "Could not sweep". `npx nestjs-files sweep` sweeps now, and tells what is left.',
      ask: async () => {
        const oldest = await this.sweeper.oldestIntent();
        const facts = { oldestIntent: oldest?.toISOString() ?? null };
        const age = oldest ? Date.now() - oldest.getTime() : 0;
        if (age > maxAge) throw new Overdue(age, maxAge, facts);
        return facts;
      },
    };
  }
}

class Overdue extends Error {
  constructor(
    age: number,
    maxAge: number,
    readonly facts: Record<string, unknown>,
  ) {
    super(`The oldest intent has waited for ${age} ms, and at most ${maxAge} ms are healthy.`);
  }
}

async function pingScanner(scanner: FileScanner, signal: AbortSignal): Promise<Record<string, unknown>> {
  if (!scanner.ping) return NOT_ASKED;
  await scanner.ping(signal);
  return {};
}
