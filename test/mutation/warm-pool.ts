import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, ThreadsPoolWorker } from 'vitest/node';
import type { PoolOptions, PoolWorker, TestSpecification, Vite, Vitest, WorkerRequest } from 'vitest/node';

type Listener = (message: unknown) => void;
type Answer = 'started' | 'stopped' | 'testfileFinished';

// What a mutant leaves behind, a timer or a metadata storage that grows, is gone with the thread.
const RUNS_PER_THREAD = 50;

let warm: ThreadsPoolWorker | undefined;
let runs = 0;

async function stopThread(): Promise<void> {
  const thread = warm;
  warm = undefined;
  runs = 0;
  await thread?.stop();
}

/**
 * What vitest takes for a new worker is a thread that has run other mutants: Nest, TypeORM and the drivers are loaded
 * already; the library and its tests are loaded anew.
 */
class WarmWorker implements PoolWorker {
  readonly name = 'warm';
  readonly #listeners: [string, Listener][] = [];
  readonly #isNew = !warm;
  readonly #thread: ThreadsPoolWorker;
  #isFinished = false;

  constructor(private readonly options: PoolOptions) {
    this.#thread = warm ??= new ThreadsPoolWorker(options);
  }

  async start(): Promise<void> {
    if (this.#isNew) await this.#thread.start();
    this.on('message', (message) => {
      this.#isFinished ||= (message as { type?: Answer }).type === 'testfileFinished';
    });
  }

  on(event: string, listener: Listener): void {
    this.#listeners.push([event, listener]);
    this.#thread.on(event, listener);
  }

  off(event: string, listener: Listener): void {
    this.#thread.off(event, listener);
  }

  send(message: WorkerRequest): void {
    if (message.type === 'stop') this.#answer('stopped');
    else if (message.type === 'start' && !this.#isNew) this.#answer('started');
    else if (message.type === 'run') this.#thread.send(this.#anew(message));
    else this.#thread.send(message);
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  async stop(): Promise<void> {
    for (const [event, listener] of this.#listeners) this.#thread.off(event, listener);
    if (!this.#isFinished || ++runs === RUNS_PER_THREAD) await stopThread();
  }

  /** The names of the tests are in the configuration, which a thread is told when it starts. */
  #anew(message: WorkerRequest & { type: 'run' }): WorkerRequest {
    const { project } = this.options;
    const context = { ...message.context, config: project.serializedConfig, invalidates: sources(project.config.root) };
    return { ...message, context };
  }

  #answer(type: Answer): void {
    const answer = { type, __vitest_worker_response__: true };
    queueMicrotask(() => {
      for (const [event, listener] of this.#listeners) if (event === 'message') listener(answer);
    });
  }
}

function sources(root: string): string[] {
  return ['lib', 'test'].flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) => join(root, room, name)),
  );
}

/** The files whose tests took least time in the first run come first: the first failure ends a run. */
class FastestFirst extends BaseSequencer {
  readonly #durations = new Map<string, number>();

  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const duration = (file: TestSpecification): number => {
      const key = `${file.project.name}:${file.moduleId.slice(file.project.config.root.length + 1)}`;
      const known = this.#durations.get(key) ?? this.ctx.cache.getFileTestResults(key)?.duration;
      if (known !== undefined) this.#durations.set(key, known);
      return known ?? 0;
    };
    return Promise.resolve(files.toSorted((a, b) => duration(a) - duration(b)));
  }
}

/** Runs the tests of many mutants quickly, one after the other. */
export const warmPool: Vite.Plugin = {
  name: 'warm-pool',
  configureVitest({ vitest, project }: { vitest: Vitest; project: PoolOptions['project'] }) {
    const poolRunner = { name: 'warm', createPoolWorker: (options: PoolOptions) => new WarmWorker(options) };
    Object.assign(project.config, { pool: 'warm', poolRunner });
    vitest.config.sequence.sequencer = FastestFirst;
    vitest.onClose(stopThread);
  },
};
