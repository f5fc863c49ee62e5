import { ClassSerializerInterceptor, Controller, Get, UseInterceptors } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { instanceToPlain } from 'class-transformer';
import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, Repository } from 'typeorm';
import type { Relation } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { ManagedFile } from '../../../lib/files/managed-file.entity.js';
import { toPublicFile } from '../../../lib/files/public-file.js';
import { formWith, PLATFORMS, startApp, uploadFile } from '../../support/http-app.js';

@Entity()
class Leaflet {
  @PrimaryColumn('int') id!: number;
  @Column('uuid') fileId!: string;
  @ManyToOne(() => ManagedFile, { createForeignKeyConstraints: false })
  @JoinColumn({ name: 'fileId' })
  file?: Relation<ManagedFile>;
}

@Controller()
@UseInterceptors(ClassSerializerInterceptor)
class SerializedController {
  constructor(
    @InjectRepository(Leaflet) private readonly leaflets: Repository<Leaflet>,
    @InjectRepository(ManagedFile) private readonly files: Repository<ManagedFile>,
  ) {}

  @Get('serialized-files')
  list(): Promise<ManagedFile[]> {
    return this.files.find();
  }

  @Get('leaflets')
  joined(): Promise<Leaflet[]> {
    return this.leaflets.find({ relations: { file: true } });
  }
}

describe.each(PLATFORMS)('files that Nest’s ClassSerializerInterceptor writes, on %s', (platform) => {
  it('are written as in their own JSON, also as a relation of a record', async () => {
    const app = await startApp({
      platform,
      imports: [TypeOrmModule.forFeature([Leaflet, ManagedFile])],
      controllers: [SerializedController],
    });
    const file = await uploadFile(app, 'anna', formWith('hello'));
    await app.dataSource.getRepository(ManagedFile).update(file.id, { storageData: { key: 's' }, metadata: { a: 1 } });
    await app.dataSource.getRepository(Leaflet).insert({ id: 1, fileId: file.id });
    const told = { ...file };
    expect(await (await app.fetch('/serialized-files')).json()).toEqual([told]);
    expect(await (await app.fetch('/leaflets')).json()).toEqual([{ id: 1, fileId: file.id, file: told }]);
  });
});

it('keeps a column private until it is named as public', async () => {
  const app = await startApp();
  await uploadFile(app, 'anna', formWith('hello'));
  const [file] = await app.dataSource.getRepository(ManagedFile).find();
  expect(instanceToPlain(file)).toEqual(toPublicFile(file!));
});
