import { Body, Controller, Param, ParseIntPipe, Patch } from '@nestjs/common';
import { IsOptional } from 'class-validator';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { UploadAs } from '../../../lib/validation/upload-as.constraint.js';
import { actionApp, actionForm, textFile } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';

@Entity('crate')
@OwnsFiles('crate', { onDelete: 'delete' })
class Crate {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') label!: string;
  @Column('varchar', { nullable: true }) plateUrl!: string | null;
}

class CrateDto {
  /** The crate has no field for it. */
  @IsOptional() @UploadAs('crate') file?: string;
  @IsOptional() @UploadAs('crate', { attachAs: 'permanentLink', field: 'plateUrl' }) plate?: string;
}

@Controller('crates')
class CratesController {
  @Patch(':id')
  @WithTaskQueue()
  put(@Param('id', ParseIntPipe) id: number, @Body() dto: CrateDto) {
    return { id, ...dto };
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('a form with a file, on $name', (database) => {
  it('gives it to no record that was removed meanwhile', async () => {
    const app = await actionApp({ database, controllers: [CratesController], entities: [Crate] });
    const { id } = await app.dataSource.getRepository(Crate).save({ label: 'blue' });
    const send = (field: string) => app.send(`/crates/${id}`, actionForm([[field, textFile('content')]]), 'PATCH');
    for (const field of ['file', 'plate']) expect((await send(field)).status).toBe(200);
    expect(await app.counts()).toMatchObject({ files: 2, intents: 0, stored: 2 });
    await app.dataSource.getRepository(Crate).delete({ id });
    const before = await app.counts();
    for (const field of ['file', 'plate'])
      expect(await send(field)).toMatchObject({ status: 422, body: { code: 'FILES_OWNER_NOT_FOUND' } });
    expect(await app.counts()).toEqual(before);
  });

  it('lets no two who write the same record wait for each other', async () => {
    const app = await actionApp({ database, controllers: [CratesController], entities: [Crate] });
    const { id } = await app.dataSource.getRepository(Crate).save({ label: 'blue' });
    const form = () => actionForm(['file', 'plate'].map((field) => [field, textFile(field)]));
    const sent = Array.from({ length: 6 }, () => app.send(`/crates/${id}`, form(), 'PATCH'));
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual(sent.map(() => 200));
    expect(await app.counts()).toMatchObject({ files: 12, intents: 0, stored: 12 });
  });
});
