import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CommandHandler, CqrsModule, EventBus, EventsHandler, UnhandledExceptionBus } from '@nestjs/cqrs';
import type { ICommandHandler, IEventHandler } from '@nestjs/cqrs';
import { InjectRepository } from '@nestjs/typeorm';
import { plainToInstance } from 'class-transformer';
import { validateOrReject } from 'class-validator';
import { firstValueFrom } from 'rxjs';
import { Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { FilesAccess, ManagedFile, TaskQueue, WithTaskQueue } from '../../../lib/index.js';
import { describeTransport, startTransport } from '../../support/describe-transport.js';
import type { StartedTransport, TransportUnderTest } from '../../support/describe-transport.js';
import { gate } from '../../support/gate.js';
import type { Gate } from '../../support/gate.js';
import { Package } from '../../support/ownership-app.js';
import { insertFile } from '../../support/ownership-databases.js';
import { PackageDto, Packages, SECRET } from '../../support/transport-app.js';

class CreatePackage extends PackageDto {}

class PackageCreated {
  constructor(readonly title: string) {}
}

/** Says when the command publishes its event, and whether its handler waits before it writes. */
@Injectable()
class Publishing {
  when: 'inside' | 'after' | undefined;
  goOn: Gate | undefined;
  handled = gate();
}

@CommandHandler(CreatePackage)
class CreatePackageHandler implements ICommandHandler<CreatePackage> {
  constructor(
    private readonly packages: Packages,
    private readonly queue: TaskQueue,
    private readonly events: EventBus,
    private readonly publishing: Publishing,
  ) {}

  @WithTaskQueue()
  async execute(command: CreatePackage): Promise<Package> {
    await validateOrReject(command);
    const publish = () => this.events.publish(new PackageCreated(command.title));
    if (this.publishing.when === 'after') this.queue.afterCommit(publish);
    const pkg = await this.packages.create(command);
    if (this.publishing.when === 'inside') publish();
    return pkg;
  }
}

@EventsHandler(PackageCreated)
class PackageCreatedHandler implements IEventHandler<PackageCreated> {
  constructor(
    @InjectRepository(Package) private readonly packages: Repository<Package>,
    private readonly publishing: Publishing,
    private readonly queue: TaskQueue,
  ) {}

  async handle({ title }: PackageCreated): Promise<void> {
    const write = () => this.packages.save({ title: `heard of ${title}` });
    const { goOn, handled } = this.publishing;
    if (goOn) await goOn.opened.then(write);
    else await this.queue.run(write);
    handled.open();
  }
}

const cqrs: TransportUnderTest<StartedTransport & { execute(dto: PackageDto): Promise<Package> }> = {
  imports: [CqrsModule.forRoot()],
  providers: [CreatePackageHandler, PackageCreatedHandler, Publishing],
  told: { error: (code) => ({ code }), unknown: { message: SECRET } },
  start: async (module) => {
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    await app.init();
    const access = app.get(FilesAccess, { strict: false });
    const commands = app.get(CommandBus, { strict: false });
    const execute = (dto: PackageDto) => commands.execute<CreatePackage, Package>(plainToInstance(CreatePackage, dto));
    return { app, execute, create: (dto, id) => access.actAs({ type: 'user', id }, () => execute(dto)) };
  },
};

await describeTransport('a command handler', cqrs);

describe('a command', () => {
  it('takes part in the unit of work that executes it', async () => {
    const { app, execute, titles, packages, dataSource } = await startTransport(cqrs);
    const id = await insertFile(dataSource, { ownerType: 'user', ownerId: 'ada' });
    const outer = app.get(FilesAccess, { strict: false }).actAs({ type: 'user', id: 'ada' }, () =>
      app.get(TaskQueue, { strict: false }).run(async () => {
        await execute({ title: 'first', attachmentId: id });
        await expect(execute({ title: 'the handler fails' })).rejects.toThrow(SECRET);
        await execute({ title: 'second' });
        throw new Error('after all');
      }),
    );
    await expect(outer).rejects.toThrow('after all');
    expect([await titles(), packages.committed]).toEqual([[], []]);
    const file = await dataSource.getRepository(ManagedFile).findOneByOrFail({ id });
    expect(file).toMatchObject({ ownerType: 'user', ownerId: 'ada' });
  });
});

describe('an event', () => {
  async function start(when: 'inside' | 'after', held = false) {
    const started = await startTransport(cqrs);
    const publishing = started.app.get(Publishing);
    publishing.when = when;
    if (held) publishing.goOn = gate();
    return { ...started, publishing };
  }

  it('is handled on its own when it is published after the commit', async () => {
    const { create, titles, publishing } = await start('after', true);
    await create({ title: 'new' }, 'ada');
    publishing.goOn?.open();
    await publishing.handled.opened;
    expect(await titles()).toEqual(['heard of new', 'new']);
  });

  it('is not published after the commit when nothing was committed', async () => {
    const { app, create } = await start('after');
    const published: unknown[] = [];
    app.get(EventBus, { strict: false }).subscribe((event) => published.push(event));
    await expect(create({ title: 'a task fails' }, 'ada')).rejects.toThrow(SECRET);
    expect(published).toEqual([]);
  });

  it('fails the unit that publishes it when its handler still writes in the end', async () => {
    const { create, titles } = await start('inside');
    await expect(create({ title: 'new' }, 'ada')).rejects.toMatchObject({ code: 'FILES_WORK_UNAWAITED' });
    expect(await titles()).toEqual([]);
  });

  it('may not write after the end of the unit that publishes it', async () => {
    const { app, create, titles, publishing } = await start('inside', true);
    const refused = firstValueFrom(app.get(UnhandledExceptionBus, { strict: false }));
    await create({ title: 'new' }, 'ada');
    publishing.goOn?.open();
    expect((await refused).exception).toMatchObject({ code: 'FILES_UNIT_ENDED' });
    expect(await titles()).toEqual(['new']);
  });
});
