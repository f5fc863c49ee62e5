import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { FilesAccess, FilesService } from 'nestjs-files';
import { FilesSweeper } from 'nestjs-files/maintenance';
import type { AccessDecision, FileFilter } from 'nestjs-files';
import type { SweepStep } from 'nestjs-files/maintenance';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { User } from '../users/user.entity.js';
import { FileViews } from './file-views.js';
import type { FileView } from './file-views.js';
import { FindFilesDto } from './find-files.dto.js';
import { ManagerGuard } from './manager.guard.js';

const ROWS = 25;

interface ExplainedFiles {
  count: number;
  files: (FileView & { decision: AccessDecision })[];
  next: string | null;
}

/** All files, the reasons why somebody may use them or not, and the preview of a sweep. */
@Controller('web/data/manage')
@UseGuards(ManagerGuard)
export class ManageController {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly sweeper: FilesSweeper,
    private readonly views: FileViews,
  ) {}

  @Get('files')
  async list(@Query() query: FindFilesDto, @CurrentUser() manager: User): Promise<ExplainedFiles> {
    const page = { sort: ['createdAt', 'desc'], limit: ROWS, cursor: query.after ?? null } as const;
    const { count, results, next } = await this.files.search({ filters: filterFor(query), ...page });
    const actor = query.as === undefined ? null : { type: 'user', id: query.as };
    const decisions = await this.access.explainMany(actor, query.operation, results);
    const views = await this.views.of(results, manager);
    const files = views.map((file, index) => ({ ...file, decision: decisions[index] as AccessDecision }));
    return { count, files, next };
  }

  @Get('sweep')
  sweep(): Promise<SweepStep[]> {
    return this.sweeper.preview();
  }
}

/** Thumbnails go with their pictures. */
const NO_THUMBNAILS: FileFilter = { $or: [{ ownerType: { $ne: 'file' } }, { ownerType: null }] };

function filterFor({ name, ownerType, contentType, pinned }: FindFilesDto): FileFilter {
  return {
    ...(name !== undefined && { name: { $ilike: `%${literal(name)}%` } }),
    ...(ownerType === undefined ? NO_THUMBNAILS : { ownerType: ownerType === 'none' ? null : ownerType }),
    ...(contentType !== undefined && { contentType: { $like: `${literal(contentType)}%` } }),
    ...(pinned !== undefined && { pinned: pinned === 'yes' }),
  };
}

/** The text as a pattern that stands for nothing else. */
function literal(text: string): string {
  return text.replaceAll(/[\\%_]/g, '\\$&');
}
