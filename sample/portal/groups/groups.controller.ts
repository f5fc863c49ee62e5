import { Body, Controller, Get, Param, ParseUUIDPipe, Patch, Post, UseGuards } from '@nestjs/common';
import { WithTaskQueue } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { FileLinks } from '../files/file-links.js';
import type { FileLink } from '../files/file-links.js';
import { User } from '../users/user.entity.js';
import { CreateGroupDto } from './create-group.dto.js';
import type { Group } from './group.entity.js';
import { GroupsService } from './groups.service.js';
import { UpdateGroupDto } from './update-group.dto.js';

type GroupView = Group & { image: FileLink | null };

@Controller('groups')
export class GroupsController {
  constructor(
    private readonly groups: GroupsService,
    private readonly links: FileLinks,
  ) {}

  @Get()
  async list(): Promise<GroupView[]> {
    const groups = await this.groups.list();
    const link = await this.links.to(groups.map(({ imageId }) => imageId));
    return groups.map((group) => ({ ...group, image: link(group.imageId) }));
  }

  @Get(':id')
  async show(@Param('id', ParseUUIDPipe) id: string): Promise<GroupView> {
    return this.#view(await this.groups.show(id));
  }

  @Post()
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async create(@Body() dto: CreateGroupDto, @CurrentUser() user: User): Promise<GroupView> {
    return this.#view(await this.groups.create(dto, user));
  }

  @Patch(':id')
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async update(
    @Param('id', ParseUUIDPipe) id: string,
    @Body() dto: UpdateGroupDto,
    @CurrentUser() user: User,
  ): Promise<GroupView> {
    return this.#view(await this.groups.update(id, dto, user));
  }

  async #view(group: Group): Promise<GroupView> {
    const link = await this.links.to([group.imageId]);
    return { ...group, image: link(group.imageId) };
  }
}
