import { Controller, Get, Redirect, Req, UseFilters, UseGuards } from '@nestjs/common';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import type { PortalRequest } from '../auth/token.guard.js';
import { Assets } from './assets.js';
import { LogInFirstFilter } from './log-in-first.filter.js';
import { ManagerGuard } from './manager.guard.js';
import { PageRoute } from './page-route.decorator.js';
import { renderPage } from './page.js';

/** The pages. Each is a frame and a script, which gets its data from the API like any client. */
@Controller('web')
@UseFilters(LogInFirstFilter)
export class PagesController {
  constructor(private readonly assets: Assets) {}

  @Get()
  @Redirect('/web/packages')
  start(): void {}

  @PageRoute('packages')
  packages(@Req() request: PortalRequest): string {
    return this.#page('packages', request);
  }

  @PageRoute('packages/new', 'packages/:id/edit')
  @UseGuards(SignedInGuard)
  packageForm(@Req() request: PortalRequest): string {
    return this.#page('package-form', request);
  }

  @PageRoute('packages/:id')
  package(@Req() request: PortalRequest): string {
    return this.#page('package', request);
  }

  @PageRoute('groups', 'organizations', 'users')
  records(@Req() request: PortalRequest): string {
    return this.#page('records', request);
  }

  @PageRoute('groups/new', 'groups/:id/edit', 'organizations/new', 'organizations/:id/edit', 'users/:id/edit')
  @UseGuards(SignedInGuard)
  recordForm(@Req() request: PortalRequest): string {
    return this.#page('record-form', request);
  }

  @PageRoute('groups/:id', 'organizations/:id', 'users/:id')
  record(@Req() request: PortalRequest): string {
    return this.#page('record', request);
  }

  @PageRoute('files')
  @UseGuards(SignedInGuard)
  files(@Req() request: PortalRequest): string {
    return this.#page('files', request);
  }

  @PageRoute('files/:id')
  file(@Req() request: PortalRequest): string {
    return this.#page('file', request);
  }

  @PageRoute('manage')
  @UseGuards(SignedInGuard, ManagerGuard)
  manage(@Req() request: PortalRequest): string {
    return this.#page('manage', request);
  }

  #page(script: string, { user, url }: PortalRequest): string {
    return renderPage({ user, assets: this.assets.address, url, script });
  }
}
