import { Body, Catch, Controller, Logger, Post, ValidationPipe } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Response } from 'express';
import { QueryFailedError } from 'typeorm';
import type { Repository } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { reachableDatabases } from '../../support/databases.js';
import { gate } from '../../support/gate.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp, GuardedSetup } from '../../support/guarded-app.js';
import { Letter } from '../../support/guarded-entities.js';

class LetterDto {
  @TransferOwnership('letter') attachmentId!: string;
}

/** How many calls have saved their letter, and go on only when all of them have. */
let meeting = { missing: 0, ...gate() };

async function meet(): Promise<void> {
  if (--meeting.missing <= 0) meeting.open();
  await meeting.opened;
}

@Controller('letters')
class LettersController {
  constructor(@InjectRepository(Letter) private readonly letters: Repository<Letter>) {}

  @Post('once')
  @WithTaskQueue()
  once(@Body() dto: LetterDto) {
    return this.#save(dto);
  }

  @Post('again')
  @WithTaskQueue({ retry: 3 })
  again(@Body() dto: LetterDto) {
    return this.#save(dto);
  }

  /** The foreign key locks the row of the file, shared: neither call can then lock it for the transfer. */
  async #save(dto: LetterDto) {
    const letter = await this.letters.save({ ...dto });
    await meet();
    return letter;
  }
}

@Catch(QueryFailedError)
class DatabaseErrors implements ExceptionFilter {
  catch(error: QueryFailedError<Error & { errno?: number }>, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<Response>().status(418).json({ errno: error.driverError.errno });
  }
}

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

for (const database of await reachableDatabases('mariadb')) {
  describe(`two units of work that lock one file in a deadlock on ${database.name}`, () => {
    const start = async (prepare: GuardedSetup['prepare'] = () => undefined): Promise<GuardedApp> => {
      const app = await guardedApp({
        database,
        controllers: [LettersController],
        prepare: (started) => {
          started.useGlobalPipes(new ValidationPipe());
          prepare(started);
        },
      });
      onTestFinished(app.close);
      return app;
    };

    /** Attaches one file to two letters at once. */
    const attach = async (app: GuardedApp, path: string) => {
      const attachmentId = await app.upload();
      meeting = { missing: 2, ...gate() };
      const answers = await Promise.all([1, 2].map(() => app.send('POST', path, { attachmentId })));
      expect(await app.dataSource.getRepository(Letter).countBy({ attachmentId })).toBe(1);
      return answers.toSorted((one, other) => one.status - other.status);
    };

    it('answer one of them 503, with a code', async () => {
      const [won, lost] = await attach(await start(), '/letters/once');
      expect([won?.status, lost?.status]).toEqual([201, 503]);
      expect(lost?.body).toMatchObject({ code: 'FILES_DATABASE_BUSY', message: 'Service Unavailable' });
    });

    it('run again with `retry`, and refuse the file that is given away by then', async () => {
      const [won, lost] = await attach(await start(), '/letters/again');
      expect([won?.status, lost?.status]).toEqual([201, 400]);
    });

    it('leave the error of the driver to a filter of the application for it', async () => {
      const app = await start((started) => void started.useGlobalFilters(new DatabaseErrors()));
      const [won, lost] = await attach(app, '/letters/once');
      expect([won?.status, lost]).toEqual([201, { status: 418, body: { errno: 1213 } }]);
    });

    it('fail with the error of the driver in the application', async () => {
      const app = await start();
      const letters = app.dataSource.getRepository(Letter);
      const [one, other] = await letters.save([{}, {}]);
      meeting = { missing: 2, ...gate() };
      const update = (...both: (Letter | undefined)[]) =>
        app.queue.run(async () => {
          for (const letter of both) {
            await letters.update(letter!.id, { subject: 'x' });
            await meet();
          }
        });
      const outcomes = await Promise.allSettled([update(one, other), update(other, one)]);
      const failed = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      expect(failed).toEqual([expect.objectContaining({ name: 'QueryFailedError', errno: 1213 })]);
    });
  });
}
