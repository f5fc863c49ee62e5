import { ClassSerializerInterceptor, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { FilesLinks } from '../../../lib/links/files-links.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

/** As many applications have one. */
@Injectable()
class Envelope implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

const content = 'hello, world';

describe.each(PLATFORMS)('an interceptor that puts results into an envelope, on %s', (platform) => {
  const start = () =>
    startApp({
      platform,
      options: { links: { secrets: ['s'.repeat(32)] } },
      providers: [
        { provide: APP_INTERCEPTOR, useClass: Envelope },
        {
          provide: APP_INTERCEPTOR,
          inject: [Reflector],
          useFactory: (it: Reflector) => new ClassSerializerInterceptor(it),
        },
      ],
    });

  it('leaves downloads as they are', async () => {
    const app = await start();
    const made = await uploadFile(app, 'anna', formWith(content));
    const { id } = made['data'] as { id: string };
    const path = `/files/${id}/content`;
    const answers = [
      await app.fetch(path, { user: 'anna' }),
      await app.fetch(path, { user: 'anna', headers: { range: 'bytes=7-' } }),
      await app.fetch(path, { user: 'anna', method: 'HEAD' }),
    ];
    const etag = answers[0]?.headers.get('etag') ?? '';
    answers.push(await app.fetch(path, { user: 'anna', headers: { 'if-none-match': etag } }));
    const told = answers.map(async (response) => [
      response.status,
      response.headers.get('content-type'),
      response.headers.get('content-length'),
      await response.text(),
    ]);
    expect(await Promise.all(told)).toEqual([
      [200, 'text/plain; charset=utf-8', '12', content],
      [206, 'text/plain; charset=utf-8', '5', 'world'],
      [200, 'text/plain; charset=utf-8', '12', ''],
      [304, null, null, ''],
    ]);
  });

  it('leaves downloads by signed links unchanged', async () => {
    const app = await start();
    const made = await uploadFile(app, 'anna', formWith(content));
    const { id } = made['data'] as { id: string };
    const { url = '' } = await app.app.get(FilesLinks).oneTime(id);
    const response = await app.fetch(url);
    expect([response.status, await response.text()]).toEqual([200, content]);
    expect((await app.fetch(url)).status).toBe(410);
  });

  it('gets the JSON of the other routes', async () => {
    const app = await start();
    const made = await uploadFile(app, 'anna', formWith(content));
    const { id } = made['data'] as { id: string };
    const shown = await app.fetch(`/files/${id}`, { user: 'anna' });
    expect(await shown.json()).toMatchObject({ data: { id, name: 'notes.txt' } });
  });
});
