import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsNotEmpty, IsOptional } from 'class-validator';
import {
  FileField,
  FilesService,
  ManagedFile,
  OwnsFiles,
  TaskQueue,
  TransferOwnership,
  WithTaskQueue,
} from 'nestjs-files';
import { Column, Entity, JoinColumn, ManyToOne, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { Relation } from 'typeorm';
import { expect, it } from 'vitest';
import { examplesNotRun } from '../../support/doc-examples.js';
import { formWith, startApp, uploadFile } from '../../support/http-app.js';

@Entity()
@OwnsFiles('package', { onDelete: 'delete' })
export class Package {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column('varchar') title!: string;
  @FileField({ onReplace: 'delete' }) @Column('uuid', { nullable: true }) attachmentId!: string | null;
  @FileField() @Column('simple-json', { default: '[]' }) imageIds!: string[];
}

@Entity()
@OwnsFiles('package', { idField: 'packageId' })
export class Resource {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid') packageId!: string;
  @ManyToOne(() => Package) @JoinColumn({ name: 'packageId' }) package!: Relation<Package>;
  @FileField({ onReplace: 'release' }) @Column('uuid', { nullable: true }) fileId!: string | null;
}

class CreatePackageDto {
  @IsNotEmpty() title!: string;
  @IsOptional() @TransferOwnership('package') attachmentId?: string;
}

@Controller('packages')
class PackagesController {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  @Post()
  @WithTaskQueue()
  async create(@Body() dto: CreatePackageDto) {
    await this.packages.insert({ ...dto });
    return { status: 'saved' };
  }
}

it('runs the examples of docs/guarded-records.md', async () => {
  expect(await examplesNotRun('guarded-records.md', import.meta.url)).toEqual([]);
  const app = await startApp({
    controllers: [PackagesController],
    imports: [TypeOrmModule.forFeature([Package, Resource])],
    prepare: (nest) => void nest.useGlobalPipes(new ValidationPipe()),
  });
  const packages = app.dataSource.getRepository(Package);
  const owner = async (id: string) => {
    const file = await app.dataSource.getRepository(ManagedFile).findOneBy({ id });
    return file && `${file.ownerType} ${file.ownerId}`;
  };
  const { id: fileId } = await uploadFile(app, 'ada', formWith('of ada'));
  const response = await app.fetch('/packages', {
    method: 'POST',
    user: 'ada',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ title: 'first', attachmentId: fileId }),
  });
  expect(response.status).toBe(201);
  const from = await packages.findOneByOrFail({ title: 'first' });
  expect(await owner(fileId)).toBe(`package ${from.id}`);

  const [files, queue] = [app.app.get(FilesService), app.app.get(TaskQueue)];
  const to = await packages.save({ title: 'second' });
  await queue.run(async () => {
    await files.transferOwnership(fileId, { ownerType: 'package', ownerId: to.id, force: true, pin: true });
    await packages.update(from.id, { attachmentId: null });
    await packages.update(to.id, { attachmentId: fileId });
  });
  expect(await owner(fileId)).toBe(`package ${to.id}`);

  const resources = app.dataSource.getRepository(Resource);
  const scan = await files.create(Buffer.from('x'), { name: 'x.txt', owner: { type: 'package', id: from.id } });
  const { id } = await resources.save({ packageId: from.id, fileId: scan.id });
  await resources.update(id, { packageId: to.id });
  expect(await owner(scan.id)).toBe(`package ${to.id}`);
});
