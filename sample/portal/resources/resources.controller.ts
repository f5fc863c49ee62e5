import { Body, Controller, Get, Param, ParseUUIDPipe, Patch, Post, UseGuards } from '@nestjs/common';
import { TaskQueue, WithTaskQueue } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { FileLinks } from '../files/file-links.js';
import type { FileLink } from '../files/file-links.js';
import { PackageQuota } from '../packages/package-quota.js';
import { User } from '../users/user.entity.js';
import { CreateResourceDto } from './create-resource.dto.js';
import type { Resource } from './resource.entity.js';
import { ResourcesService } from './resources.service.js';
import { UpdateResourceDto } from './update-resource.dto.js';

type ResourceView = Pick<Resource, 'id' | 'name' | 'packageId' | 'fileId'> & { file: FileLink | null };

@Controller('resources')
export class ResourcesController {
  constructor(
    private readonly resources: ResourcesService,
    private readonly quota: PackageQuota,
    private readonly links: FileLinks,
    private readonly queue: TaskQueue,
  ) {}

  @Get(':id')
  async show(@Param('id', ParseUUIDPipe) id: string, @CurrentUser() user: User | null): Promise<ResourceView> {
    return this.#view(await this.resources.show(id, user));
  }

  @Post()
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async create(@Body() dto: CreateResourceDto, @CurrentUser() user: User): Promise<ResourceView> {
    this.#checkQuotaInTheEnd();
    return this.#view(await this.resources.create(dto, user));
  }

  @Patch(':id')
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async update(
    @Param('id', ParseUUIDPipe) id: string,
    @Body() dto: UpdateResourceDto,
    @CurrentUser() user: User,
  ): Promise<ResourceView> {
    this.#checkQuotaInTheEnd();
    return this.#view(await this.resources.update(id, dto, user));
  }

  #checkQuotaInTheEnd(): void {
    this.queue.add((resource: ResourceView) => this.quota.check(resource.packageId));
  }

  async #view({ id, name, packageId, fileId }: Resource): Promise<ResourceView> {
    const link = await this.links.to([fileId]);
    return { id, name, packageId, fileId, file: link(fileId) };
  }
}
