import type { Server } from 'node:net';
import { Logger, Module, UseFilters, UseInterceptors, UsePipes, Controller, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { IsOptional } from 'class-validator';
import type { ValidationError } from 'class-validator';
import { EMPTY, lastValueFrom, toArray } from 'rxjs';
import type { Observable } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { uuidV7 } from '../../../lib/files/file-id.js';
import {
  AcceptFileType,
  FileExists,
  FilesErrorFilter,
  FilesService,
  MaxFileSize,
  WithTaskQueue,
} from '../../../lib/index.js';
import { FileNotFoundError } from '../../../lib/entry/errors.js';
import { describeTransport, startTransport } from '../../support/describe-transport.js';
import { gate } from '../../support/gate.js';
import { startApp } from '../../support/http-app.js';
import { microservice } from '../../support/message-handlers.js';
import type { Package } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';
import { GiveUp, Packages } from '../../support/transport-app.js';

const here = { host: '127.0.0.1', port: 0 };
const clientOf = (server: unknown) => {
  const { port } = (server as Server).address() as { port: number };
  return { transport: Transport.TCP, options: { ...here, port } } as const;
};
const messagesOf = (errors: readonly ValidationError[]) =>
  errors.flatMap(({ constraints }) => Object.values(constraints ?? {}));
const tcp = microservice({ transport: Transport.TCP, options: here }, clientOf);

await describeTransport('a message handler over TCP', { ...tcp, databases: ['memory', 'postgres'] });

/** Handlers of events; those of the first two each share an event with another. */
@Controller()
class EventHandlers {
  constructor(private readonly packages: Packages) {}

  @EventPattern('saved by two')
  @WithTaskQueue()
  save({ title }: { title: string }): Promise<Package> {
    return this.packages.create({ title });
  }

  @EventPattern('saved by two')
  async fail({ ending }: { ending: string }): Promise<Observable<never>> {
    await this.packages.reached.opened;
    if (ending === 'fails') throw new Error('the other handler');
    return EMPTY;
  }

  @EventPattern('saved in time')
  @WithTaskQueue()
  @UseInterceptors(GiveUp)
  saveInTime({ title }: { title: string }): Promise<Package> {
    return this.packages.create({ title });
  }
}

describe('a message handler', () => {
  it('sends validation errors to the client, by an exceptionFactory as on any microservice', async () => {
    const { create, dataSource } = await startTransport(tcp);
    const attachmentId = await insertFile(dataSource, { ownerType: 'user', ownerId: 'ben' });
    await expect(create({ title: 'x', attachmentId }, 'ada')).rejects.toEqual({
      errors: ['attachmentId: The file does not exist, or you may not use it'],
    });
  });

  it('answers with a stream after the commit, with all of its values', async () => {
    const { createAll, titles, packages } = await startTransport(tcp);
    const answered = lastValueFrom(createAll(['one', 'two', 'three']).pipe(toArray()));
    expect((await answered).map(({ title }) => title)).toEqual(['one', 'two', 'three']);
    expect([await titles(), packages.committed]).toEqual([
      ['one', 'three', 'two'],
      ['one', 'two', 'three'],
    ]);
  });

  it('answers with no value of a stream that fails in the end, and saves none', async () => {
    const { createAll, titles } = await startTransport(tcp);
    const seen: unknown[] = [];
    const all = createAll(['one', 'two', 'the handler fails']);
    await new Promise<void>((resolve) => all.subscribe({ next: (value) => seen.push(value), error: () => resolve() }));
    expect([seen, await titles()]).toEqual([[], []]);
  });

  it('finishes its work when the client goes away', async () => {
    const { create, close, titles, packages } = await startTransport(tcp);
    const answer = create({ title: 'waits' }, 'ada').catch((error: unknown) => error);
    await packages.reached.opened;
    close?.();
    packages.goOn.open();
    await packages.ended('waits');
    expect([await titles(), packages.undone]).toEqual([['waits'], []]);
    await answer;
  });

  it('undoes its work when an interceptor gives up on it', async () => {
    const { createInTime, titles, packages } = await startTransport(tcp);
    await expect(createInTime({ title: 'waits' })).rejects.toMatchObject({ status: 'error' });
    packages.goOn.open();
    await packages.ended('waits');
    expect([await titles(), packages.undone]).toEqual([[], ['waits']]);
  });

  it('saves what an event says, or logs why not, because nobody hears an answer', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    const service = await startTransport(tcp);
    await service.import({ title: 'pinned' });
    await service.import({ title: 'event' });
    await Promise.all(['pinned', 'event'].map((title) => service.packages.ended(title)));
    expect(await service.titles()).toEqual(['event']);
    await expect
      .poll(() => warn.mock.calls)
      .toContainEqual([expect.stringMatching(/^FILES_FILE_PINNED: File 7 is pinned/)]);
  });

  describe('of an event', () => {
    const events = { ...tcp, controllers: [EventHandlers] };
    const logged = (level: 'warn' | 'error') => {
      const [called, lines] = [gate(), [] as unknown[]];
      const spy = vi.spyOn(Logger.prototype, level).mockImplementation((line) => (lines.push(line), called.open()));
      onTestFinished(() => spy.mockRestore());
      return { first: called.opened, lines };
    };

    it.each(['fails', 'emits nothing'])('saves its work, with a warning, when another handler %s', async (ending) => {
      const warnings = logged('warn');
      const { client, titles, packages } = await startTransport(events);
      await lastValueFrom(client.emit('saved by two', { title: 'waits', ending }), { defaultValue: undefined });
      await Promise.race([warnings.first, packages.ended('waits')]);
      packages.goOn.open();
      await packages.ended('waits');
      expect([await titles(), packages.undone]).toEqual([['waits'], []]);
      expect(warnings.lines).toEqual([
        expect.stringMatching(/^EventHandlers\.save goes on, .*another handler of its event/),
      ]);
    });

    it('logs its own failure where another handler has failed before', async () => {
      const errors = logged('error');
      const warnings = logged('warn');
      const { client, titles, packages } = await startTransport(events);
      const title = 'waits handler fails';
      await lastValueFrom(client.emit('saved by two', { title, ending: '' }), { defaultValue: undefined });
      await warnings.first;
      packages.goOn.open();
      await errors.first;
      expect(errors.lines).toEqual([expect.stringMatching(/^EventHandlers\.save has failed: /)]);
      expect([await titles(), packages.undone]).toEqual([[], [title]]);
    });

    it('undoes its work when an interceptor gives up on it', async () => {
      const { client, titles, packages } = await startTransport(events);
      await lastValueFrom(client.emit('saved in time', { title: 'waits' }), { defaultValue: undefined });
      await packages.ended('waits');
      packages.goOn.open();
      expect([await titles(), packages.undone]).toEqual([[], ['waits']]);
    });
  });

  it('answers with the code by @UseFilters() in a hybrid application without inheritAppConfig', async () => {
    @Controller()
    class Handlers {
      @MessagePattern('without')
      without(): never {
        throw new FileNotFoundError('7');
      }

      @MessagePattern('with')
      @UseFilters(FilesErrorFilter)
      with(): never {
        throw new FileNotFoundError('7');
      }
    }
    @Module({ controllers: [Handlers] })
    class Hybrid {}

    const app = await NestFactory.create(Hybrid, { logger: false });
    const server = app.connectMicroservice({ transport: Transport.TCP, options: here });
    await app.startAllMicroservices();
    const client = ClientProxyFactory.create(clientOf(server.unwrap()));
    onTestFinished(async () => {
      await client.close();
      await app.close();
    });
    const answer = (pattern: string) => lastValueFrom(client.send(pattern, {}));
    await expect(answer('without')).rejects.toEqual({ status: 'error', message: 'Internal server error' });
    await expect(answer('with')).rejects.toMatchObject({ code: 'FILES_FILE_NOT_FOUND' });
  });

  it('tells nothing of hidden files in a hybrid application without inheritAppConfig', async () => {
    class LookDto {
      @IsOptional() @FileExists() exists?: string;
      @IsOptional() @AcceptFileType('image') type?: string;
      @IsOptional() @MaxFileSize(1) size?: string;
    }
    @Controller()
    class Looks {
      @MessagePattern('look')
      @UsePipes(new ValidationPipe({ exceptionFactory: (errors) => new RpcException({ errors: messagesOf(errors) }) }))
      look(@Payload() dto: LookDto): object {
        return { ...dto };
      }
    }
    let server: unknown;
    const { app } = await startApp({
      controllers: [Looks],
      prepare: (nest) => {
        const service = nest.connectMicroservice({ transport: Transport.TCP, options: here });
        server = service.unwrap();
      },
    });
    await app.startAllMicroservices();
    const client = ClientProxyFactory.create(clientOf(server));
    onTestFinished(() => client.close());
    const { id } = await app.get(FilesService).create(Buffer.from('%PDF-1.7\n'), {
      name: 'a.pdf',
      owner: { type: 'user', id: 'ben' },
    });
    const answer = (dto: LookDto) => lastValueFrom(client.send<unknown>('look', dto)).catch((error: unknown) => error);
    for (const field of ['exists', 'type', 'size']) {
      const missing = await answer({ [field]: uuidV7() });
      expect(missing).toEqual({ errors: [`${field}: The file does not exist, or you may not use it`] });
      expect(await answer({ [field]: id })).toEqual(missing);
    }
  });
});
