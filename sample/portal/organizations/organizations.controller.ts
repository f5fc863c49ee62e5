import { Body, Controller, Get, Param, ParseUUIDPipe, Patch, Post, UseGuards } from '@nestjs/common';
import { WithTaskQueue } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { FileLinks } from '../files/file-links.js';
import type { FileLink } from '../files/file-links.js';
import { User } from '../users/user.entity.js';
import { CreateOrganizationDto } from './create-organization.dto.js';
import type { Organization } from './organization.entity.js';
import { OrganizationsService } from './organizations.service.js';
import { UpdateOrganizationDto } from './update-organization.dto.js';

type OrganizationView = Organization & { image: FileLink | null };

@Controller('organizations')
export class OrganizationsController {
  constructor(
    private readonly organizations: OrganizationsService,
    private readonly links: FileLinks,
  ) {}

  @Get()
  async list(): Promise<OrganizationView[]> {
    const organizations = await this.organizations.list();
    const link = await this.links.to(organizations.map(({ imageId }) => imageId));
    return organizations.map((organization) => ({ ...organization, image: link(organization.imageId) }));
  }

  @Get(':id')
  async show(@Param('id', ParseUUIDPipe) id: string): Promise<OrganizationView> {
    return this.#view(await this.organizations.show(id));
  }

  @Post()
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async create(@Body() dto: CreateOrganizationDto, @CurrentUser() user: User): Promise<OrganizationView> {
    return this.#view(await this.organizations.create(dto, user));
  }

  @Patch(':id')
  @UseGuards(SignedInGuard)
  @WithTaskQueue()
  async update(
    @Param('id', ParseUUIDPipe) id: string,
    @Body() dto: UpdateOrganizationDto,
    @CurrentUser() user: User,
  ): Promise<OrganizationView> {
    return this.#view(await this.organizations.update(id, dto, user));
  }

  async #view(organization: Organization): Promise<OrganizationView> {
    const link = await this.links.to([organization.imageId]);
    return { ...organization, image: link(organization.imageId) };
  }
}
