import { Body, Controller, Get, Param, ParseUUIDPipe, Patch, Post, UseGuards } from '@nestjs/common';
import { WithTaskQueue } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { FileLinks } from '../files/file-links.js';
import type { FileLink } from '../files/file-links.js';
import { CreateUserDto } from './create-user.dto.js';
import { UpdateUserDto } from './update-user.dto.js';
import { User } from './user.entity.js';
import { UsersService } from './users.service.js';

/** Other users must not learn who is a manager. */
type UserView = Omit<User, 'isManager'> & { avatar: FileLink | null };

@Controller('users')
export class UsersController {
  constructor(
    private readonly users: UsersService,
    private readonly links: FileLinks,
  ) {}

  @Get()
  async list(): Promise<UserView[]> {
    return this.#view(await this.users.list());
  }

  @Get(':id')
  async show(@Param('id', ParseUUIDPipe) id: string): Promise<UserView> {
    return this.#viewOne(await this.users.show(id));
  }

  @Post()
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async create(@Body() dto: CreateUserDto): Promise<UserView> {
    return this.#viewOne(await this.users.create(dto));
  }

  @Patch(':id')
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async update(
    @Param('id', ParseUUIDPipe) id: string,
    @Body() dto: UpdateUserDto,
    @CurrentUser() user: User,
  ): Promise<UserView> {
    return this.#viewOne(await this.users.update(id, dto, user));
  }

  async #view(users: readonly User[]): Promise<UserView[]> {
    const link = await this.links.to(users.map(({ avatarId }) => avatarId));
    return users.map((user) => viewOf(user, link(user.avatarId)));
  }

  async #viewOne(user: User): Promise<UserView> {
    const link = await this.links.to([user.avatarId]);
    return viewOf(user, link(user.avatarId));
  }
}

function viewOf({ isManager: _, ...user }: User, avatar: FileLink | null): UserView {
  return { ...user, avatar };
}
