import 'reflect-metadata';
import type { DataSourceOptions } from 'typeorm';
import { startEngine } from '../support/job-engines.js';
import type { EngineTask } from '../support/job-engines.js';
import { jobsApp, JobScript } from '../support/jobs-app.js';

/** What the process does, given as JSON. */
export interface WorkerTask {
  readonly database: DataSourceOptions;
  readonly engine: EngineTask;
  /**
   * Saves a record with a job, runs the job, and dies before its statement or command of this number, or in the
   * handler; or it runs what is there, until it is told to end; or it does so and dies in the first handler.
   */
  readonly death?: number | 'in handler' | 'in any handler';
}

const { database, engine, death } = JSON.parse(process.argv[2] ?? '') as WorkerTask;
const die = (): never => process.kill(process.pid, 'SIGKILL') as never;

const script = new JobScript(
  typeof death === 'string'
    ? async ({ payload }) => {
        await app.write(String(payload));
        die();
      }
    : undefined,
);
const started = await startEngine(engine);
const app = await jobsApp({ database, jobs: { engine: started.engine }, script });
process.once('disconnect', () => process.exit());

if (death === undefined || death === 'in any handler') {
  process.send?.('ready');
} else {
  let sent = 0;
  const step = (): void => {
    if (++sent === death) die();
  };
  app.dataSource.logger.logQuery = step;
  started.onStep(step);
  await app.queue.run(async () => {
    await app.write('record');
    app.queue.enqueue('note', 'job');
  });
  await app.script.begun(1);
  await app.close();
  await started.dispose();
  process.exit();
}
