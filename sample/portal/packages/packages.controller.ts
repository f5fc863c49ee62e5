import { Body, Controller, Get, HttpCode, Param, ParseUUIDPipe, Patch, Post, UseGuards } from '@nestjs/common';
import { TaskQueue, WithTaskQueue } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { User } from '../users/user.entity.js';
import { CreatePackageDto } from './create-package.dto.js';
import { PackageQuota } from './package-quota.js';
import { PackageViews } from './package-view.js';
import type { PackageView } from './package-view.js';
import { PackagesService } from './packages.service.js';
import { Publisher } from './publisher.js';
import { UpdatePackageDto } from './update-package.dto.js';

@Controller('packages')
export class PackagesController {
  constructor(
    private readonly packages: PackagesService,
    private readonly publisher: Publisher,
    private readonly quota: PackageQuota,
    private readonly views: PackageViews,
    private readonly queue: TaskQueue,
  ) {}

  @Get()
  async list(@CurrentUser() user: User | null): Promise<PackageView[]> {
    return this.views.of(await this.packages.listFor(user));
  }

  @Get(':id')
  async show(@Param('id', ParseUUIDPipe) id: string, @CurrentUser() user: User | null): Promise<PackageView> {
    return this.views.ofOne(await this.packages.show(id, user));
  }

  /**
   * While the DTO is validated, the transfers of its files are queued; they run before the commit, in the order of the
   * queue.
   */
  @Post()
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async create(@Body() dto: CreatePackageDto, @CurrentUser() user: User): Promise<PackageView> {
    this.#checkQuotaInTheEnd();
    return this.views.ofOne(await this.packages.create(dto, user));
  }

  @Patch(':id')
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async update(
    @Param('id', ParseUUIDPipe) id: string,
    @Body() dto: UpdatePackageDto,
    @CurrentUser() user: User,
  ): Promise<PackageView> {
    this.#checkQuotaInTheEnd();
    return this.views.ofOne(await this.packages.update(id, dto, user));
  }

  @Post(':id/publish')
  @HttpCode(200)
  @UseGuards(SignedInGuard)
  async publish(@Param('id', ParseUUIDPipe) id: string, @CurrentUser() user: User): Promise<PackageView> {
    return this.views.ofOne(await this.publisher.publish(id, user));
  }

  /** Runs after the transfers, so that the files are the package's by then. When it throws, nothing has happened. */
  #checkQuotaInTheEnd(): void {
    this.queue.add((pkg: PackageView) => this.quota.check(pkg.id));
  }
}
