import { Body, Controller, Param, ParseIntPipe, Patch } from '@nestjs/common';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { OwnsFiles } from '../../../lib/ownership/owns-files.decorator.js';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { UploadAs } from '../../../lib/validation/upload-as.constraint.js';
import { actionApp, actionForm, textFile } from '../../support/action-app.js';
import { reachableDatabases } from '../../support/databases.js';

/** Its files are found by their owner alone. */
@Entity('crate')
@OwnsFiles('crate', { onDelete: 'delete' })
class Crate {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') label!: string;
}

class CrateDto {
  @UploadAs('crate') file!: string;
}

@Controller('crates')
class CratesController {
  @Patch(':id')
  @WithTaskQueue()
  put(@Param('id', ParseIntPipe) id: number, @Body() dto: CrateDto): { id: number; file: string } {
    return { id, ...dto };
  }
}

describe.each(await reachableDatabases('memory', 'postgres', 'mariadb'))('a form with a file, on $name', (database) => {
  it('gives it to no record that was removed meanwhile', async () => {
    const app = await actionApp({ database, controllers: [CratesController], entities: [Crate] });
    const { id } = await app.dataSource.getRepository(Crate).save({ label: 'blue' });
    const send = () => app.send(`/crates/${id}`, actionForm([['file', textFile('content')]]), 'PATCH');
    expect((await send()).status).toBe(200);
    expect(await app.counts()).toMatchObject({ files: 1, intents: 0, stored: 1 });
    await app.dataSource.getRepository(Crate).delete({ id });
    const before = await app.counts();
    expect(await send()).toMatchObject({ status: 422, body: { code: 'FILES_OWNER_NOT_FOUND' } });
    expect(await app.counts()).toEqual(before);
  });
});
