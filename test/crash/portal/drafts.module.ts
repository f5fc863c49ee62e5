import { Body, Controller, Injectable, Module, Param, ParseUUIDPipe, Patch, Post, UseGuards } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { IsOptional, IsUUID } from 'class-validator';
import {
  FileField,
  FilesService,
  OwnerPolicy,
  OwnsFiles,
  TransferOwnership,
  UploadAs,
  WithTaskQueue,
} from 'nestjs-files';
import type { FileOwnerPolicy } from 'nestjs-files';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { SignedInGuard } from '../../../sample/portal/auth/signed-in.guard.js';

/** What the portal lacks: fields that let go of the files that they hold no more. */
@Entity()
@OwnsFiles('draft')
export class Draft {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @FileField({ onReplace: 'release' })
  @Column('uuid', { nullable: true })
  coverId!: string | null;

  @FileField({ onReplace: 'delete' })
  @Column('uuid', { nullable: true })
  scanId!: string | null;
}

class DraftDto {
  @IsOptional()
  @IsUUID()
  @TransferOwnership('draft')
  coverId?: string | null;

  @IsOptional()
  @IsUUID()
  @TransferOwnership('draft')
  scanId?: string | null;
}

/** The same fields, sent with the files themselves. */
class FilledDraftDto {
  @IsOptional()
  @UploadAs('draft')
  coverId?: string | null;

  @IsOptional()
  @UploadAs('draft')
  scanId?: string | null;
}

@Controller('drafts')
@UseGuards(SignedInGuard)
class DraftsController {
  constructor(
    @InjectRepository(Draft) private readonly drafts: Repository<Draft>,
    private readonly files: FilesService,
  ) {}

  @Post()
  @WithTaskQueue()
  create(@Body() dto: DraftDto): Promise<Draft> {
    return this.#save(this.drafts.create(), dto);
  }

  /** Bytes are written while the transaction is open. */
  @Post('printed')
  @WithTaskQueue()
  async print(): Promise<Draft> {
    const draft = await this.drafts.save(this.drafts.create());
    const content = Buffer.from('%PDF-1.7\n% printed\n');
    const { id } = await this.files.create(content, { name: 'printed.pdf', owner: { type: 'draft', id: draft.id } });
    return this.drafts.save(Object.assign(draft, { coverId: id }));
  }

  @Post('filled')
  @WithTaskQueue()
  createFilled(@Body() dto: FilledDraftDto): Promise<Draft> {
    return this.#save(this.drafts.create(), dto);
  }

  @Patch(':id')
  @WithTaskQueue()
  async update(@Param('id', ParseUUIDPipe) id: string, @Body() dto: DraftDto): Promise<Draft> {
    return this.#save(await this.drafts.findOneByOrFail({ id }), dto);
  }

  @Patch(':id/filled')
  @WithTaskQueue()
  async updateFilled(@Param('id', ParseUUIDPipe) id: string, @Body() dto: FilledDraftDto): Promise<Draft> {
    return this.#save(await this.drafts.findOneByOrFail({ id }), dto);
  }

  /** A draft with copies of the files of another one. */
  @Post(':id/copied')
  @WithTaskQueue()
  async copy(@Param('id', ParseUUIDPipe) id: string): Promise<Draft> {
    const { coverId, scanId } = await this.drafts.findOneByOrFail({ id });
    const draft = await this.drafts.save(this.drafts.create());
    const copies = await this.files.copyAll({ type: 'draft', id }, { type: 'draft', id: draft.id });
    const [cover, scan] = [copies.get(coverId ?? '') ?? null, copies.get(scanId ?? '') ?? null];
    return this.drafts.save(Object.assign(draft, { coverId: cover, scanId: scan }));
  }

  /** Several files at once, in a commit of their own. */
  @Post('cleared')
  async clear(@Body() { ids }: { ids: string[] }): Promise<void> {
    await this.files.deleteAll(ids);
  }

  #save(draft: Draft, dto: DraftDto): Promise<Draft> {
    return this.drafts.save(this.drafts.merge(draft, dto));
  }
}

/** A shelf names no files: they are given to it by themselves, by whoever likes. */
@Injectable()
@OwnerPolicy('shelf')
class ShelfFiles implements FileOwnerPolicy {
  allows(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

@Module({ imports: [TypeOrmModule.forFeature([Draft])], controllers: [DraftsController], providers: [ShelfFiles] })
export class DraftsModule {}
