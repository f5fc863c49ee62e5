import { Controller, Inject, Injectable, UseInterceptors } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { from, lastValueFrom, mergeMap, raceWith, throwError } from 'rxjs';
import { DataSource } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { actionApp, actionForm, GalleriesController, textFile } from '../../support/action-app.js';
import { gate } from '../../support/gate.js';
import { reachableDatabases } from '../../support/databases.js';

/** The application's own transaction around each request. */
@Injectable()
class Around implements NestInterceptor {
  fails = false;
  /** The interceptor waits no longer when it opens. */
  givingUp = gate();

  constructor(@Inject(DataSource) private readonly dataSource: DataSource) {}

  intercept(_: ExecutionContext, next: CallHandler<unknown>) {
    const over = from(this.givingUp.opened).pipe(mergeMap(() => throwError(() => new Error('too late'))));
    const handled = this.dataSource.transaction(async () => {
      const result = await lastValueFrom(next.handle().pipe(raceWith(over)));
      if (this.fails) throw new Error('undone');
      return result;
    });
    return from(handled);
  }
}

@Controller('galleries')
@UseInterceptors(Around)
class JoiningController extends GalleriesController {}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))(
  'a form in a transaction of the application, on $name',
  (database) => {
    it('comes to stay with it, or goes with it', async () => {
      const app = await actionApp({ database, controllers: [JoiningController], providers: [Around] });
      const around = app.app.get(Around);
      const send = async () => {
        const form = actionForm([
          ['title', 'Sea'],
          ['coverId', textFile('cover')],
          ['images', textFile('a')],
          ['images', textFile('b')],
        ]);
        return (await app.send('/galleries', form)).status;
      };
      const all = { galleries: 1, files: 3, intents: 0, stored: 3 };
      expect([await send(), await app.counts()]).toEqual([201, all]);
      around.fails = true;
      expect([await send(), await app.counts()]).toEqual([500, all]);
      around.fails = false;
      app.afterwards.run = () => Promise.reject(new Error('no'));
      expect([await send(), await app.counts()]).toEqual([500, all]);
    });

    it('goes when an interceptor gives up on the handler', async () => {
      const app = await actionApp({ database, controllers: [JoiningController], providers: [Around] });
      const goOn = gate();
      app.afterwards.run = () => {
        app.app.get(Around).givingUp.open();
        return goOn.opened;
      };
      const form = actionForm([
        ['title', 'Sea'],
        ['coverId', textFile('cover')],
      ]);
      expect((await app.send('/galleries', form)).status).toBe(500);
      await expect.poll(() => app.counts()).toEqual({ galleries: 0, files: 0, intents: 0, stored: 0 });
      goOn.open();
    });
  },
);
