import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import { FilesAccess, FilesService, RequireFileAccess } from 'nestjs-files';
import type { FileOperation } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { SignedInGuard } from '../auth/signed-in.guard.js';
import { User } from '../users/user.entity.js';
import { FileViews } from './file-views.js';
import type { FileView, HistoryView } from './file-views.js';
import { FilesOfUser } from './files-of-user.js';

const OPERATIONS = ['update', 'pin', 'delete'] as const satisfies FileOperation[];

interface FilesPage {
  count: number;
  files: FileView[];
  next: string | null;
}

interface FilePage {
  file: FileView;
  history: HistoryView[];
  /** The operations that are open to the viewer. */
  allowed: FileOperation[];
}

/** Files with the details that the pages show. The pages change files with the library's own routes. */
@Controller('web/data/files')
export class MyFilesController {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly filesOfUser: FilesOfUser,
    private readonly views: FileViews,
  ) {}

  /** The user's own files and those of records that the user has made, the newest first. */
  @Get()
  @UseGuards(SignedInGuard)
  async list(@CurrentUser() user: User, @Query('after') after: string | undefined): Promise<FilesPage> {
    const { count, files, next } = await this.filesOfUser.find(user, after);
    return { count, files: await this.views.of(files, user), next };
  }

  @Get(':id')
  @RequireFileAccess('read', 'id')
  async show(@Param('id') id: string, @CurrentUser() user: User | null): Promise<FilePage> {
    const file = await this.files.findOrFail(id);
    const actor = user && { type: 'user', id: user.id };
    const decisions = await Promise.all(OPERATIONS.map((operation) => this.access.explain(actor, operation, file)));
    const allowed = OPERATIONS.filter((_, index) => decisions[index]?.allowed);
    const [view] = await this.views.of([file], user);
    return { file: view as FileView, history: await this.views.historyOf(file.id, user), allowed };
  }
}
