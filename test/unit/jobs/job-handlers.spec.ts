import { Injectable, type Provider, Scope } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { FileJob, type FileJobOptions } from '../../../lib/jobs/file-job.decorator.js';
import { JobHandlers } from '../../../lib/jobs/job-handlers.js';

/** What an application with these providers finds when it boots. */
async function found(...providers: Provider[]): Promise<JobHandlers> {
  const testing = await Test.createTestingModule({
    imports: [DiscoveryModule],
    providers: [JobHandlers, ...providers],
  }).compile();
  await testing.init();
  return testing.get(JobHandlers);
}

function handling(name: string, options?: FileJobOptions, scope = Scope.DEFAULT) {
  @Injectable({ scope })
  class Thumbnails {
    readonly own = 'own';

    @FileJob(name, options)
    run(payload: string): string {
      return `${payload} ${this.own}`;
    }
  }
  return Thumbnails;
}

it('finds the handlers of all providers, also of values and of classes that they extend', async () => {
  class Extended extends handling('inherited') {}
  const value = new (handling('of-a-value'))();
  const { all } = await found(handling('thumbnail', { attempts: 2 }), Extended, { provide: 'value', useValue: value });

  expect([...all.keys()].toSorted()).toEqual(['inherited', 'of-a-value', 'thumbnail']);
  expect(all.get('thumbnail')).toMatchObject({ attempts: 2, concurrency: 4, place: 'Thumbnails.run' });
  expect(all.get('inherited')?.run('its', {} as never)).toBe('its own');
});

it('counts a class that is provided twice once', async () => {
  const Thumbnails = handling('thumbnail');
  const { all } = await found(Thumbnails, { provide: 'again', useClass: Thumbnails });
  expect([...all.keys()]).toEqual(['thumbnail']);
});

it('refuses two handlers of one job', async () => {
  const refused = { code: 'FILES_DECORATION_INVALID', message: expect.stringContaining('Thumbnails.run has the job') };
  await expect(found(handling('thumbnail'), handling('thumbnail'))).rejects.toMatchObject(refused);
});

it.each([
  ['a name that not all engines take', handling('a:b'), 'FILES_DECORATION_INVALID'],
  ['an empty name', handling(''), 'FILES_DECORATION_INVALID'],
  ['a provider for each request', handling('x', {}, Scope.REQUEST), 'FILES_DECORATION_INVALID'],
  ['a provider for each of its users', handling('x', {}, Scope.TRANSIENT), 'FILES_DECORATION_INVALID'],
  ['no attempts', handling('x', { attempts: 0 }), 'FILES_JOB_OPTION_INVALID'],
  ['half a run at once', handling('x', { concurrency: 0.5 }), 'FILES_JOB_OPTION_INVALID'],
  ['a wait for ever', handling('x', { backoff: Infinity }), 'FILES_JOB_OPTION_INVALID'],
])('refuses %s', async (_what, provider, code) => {
  await expect(found(provider)).rejects.toMatchObject({ code });
});

it('takes a run without a timeout', async () => {
  const { all } = await found(handling('x', { timeout: Infinity }));
  expect(all.get('x')?.timeout).toBe(Infinity);
});
