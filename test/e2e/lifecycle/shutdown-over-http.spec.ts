import { Body, Controller, Delete, Injectable, Param, Post, ValidationPipe } from '@nestjs/common';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FileField, ManagedFile, OwnsFiles, TransferOwnership, WithTaskQueue } from 'nestjs-files';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { gate } from '../../support/gate.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

@Entity()
@OwnsFiles('brief', { onDelete: 'delete' })
class Brief {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @FileField() @Column('uuid') fileId!: string;
}

class BriefDto {
  @TransferOwnership('brief') fileId!: string;
}

@Controller('briefs')
class BriefsController {
  constructor(@InjectRepository(Brief) private readonly briefs: Repository<Brief>) {}

  @Post()
  @WithTaskQueue()
  create(@Body() { fileId }: BriefDto): Promise<Brief> {
    return this.briefs.save({ fileId });
  }

  @Post('unchecked')
  createUnchecked(@Body() body: { fileId: string }): Promise<Brief> {
    return this.briefs.save({ fileId: body.fileId });
  }

  @Delete(':id')
  async remove(@Param('id') id: string): Promise<void> {
    await this.briefs.remove(await this.briefs.findOneByOrFail({ id }));
  }
}

/** As the wait for the load balancer of @nestjs/terminus. */
@Injectable()
class Waiting implements BeforeApplicationShutdown {
  readonly begun = gate();
  readonly over = gate();

  async beforeApplicationShutdown(): Promise<void> {
    this.begun.open();
    await this.over.opened;
  }
}

describe.each(PLATFORMS)('an application on %s whose shutdown has begun', (platform) => {
  it('gives, guards and removes files until its port is closed', async () => {
    const app = await startApp({
      platform,
      imports: [TypeOrmModule.forFeature([Brief])],
      controllers: [BriefsController],
      providers: [Waiting],
      prepare: (made) => void made.useGlobalPipes(new ValidationPipe({ transform: true })),
    });
    const send = (path: string, fileId: string) =>
      app.fetch(path, {
        method: 'POST',
        user: 'ada',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ fileId }),
      });
    const files = app.dataSource.getRepository(ManagedFile);
    const [own, others] = [await uploadFile(app, 'ada', formWith('1')), await uploadFile(app, 'bob', formWith('2'))];
    const waiting = app.app.get(Waiting);
    const closed = app.app.close();
    await waiting.begun.opened;

    const created = await send('/briefs', own.id);
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as Brief;
    expect(await files.findOneBy({ id: own.id })).toMatchObject({ ownerType: 'brief', ownerId: id });

    expect((await send('/briefs/unchecked', others.id)).status).toBeGreaterThanOrEqual(400);
    expect(await app.dataSource.getRepository(Brief).count()).toBe(1);

    expect((await app.fetch(`/briefs/${id}`, { method: 'DELETE', user: 'ada' })).status).toBe(200);
    expect(await files.findOneBy({ id: own.id })).toBeNull();

    waiting.over.open();
    await closed;
  });
});
