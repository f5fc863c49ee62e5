import { Controller, Get, Param } from '@nestjs/common';
import { FilesAccess, FilesService } from 'nestjs-files';
import { CurrentUser } from '../auth/current-user.decorator.js';
import { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';

interface HistoryLine {
  action: string;
  from: string | null;
  to: string | null;
  by: string | null;
  at: Date;
}

/** A route of our own beside those of the library: `FilesService` does not ask who may, so `FilesAccess` is asked here. */
@Controller('files')
export class HistoryController {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
    private readonly users: UsersService,
  ) {}

  @Get(':id/history')
  async history(@Param('id') id: string, @CurrentUser() user: User | null): Promise<HistoryLine[]> {
    const file = await this.files.show(id);
    await this.access.assertCan(user && { type: 'user', id: user.id }, 'show', file);
    const changes = await this.files.history(file.id);
    const names = await this.users.namesOf(changes.map(({ actorId }) => actorId ?? ''));
    return changes.map(({ action, fromType, fromId, toType, toId, actorId, at }) => ({
      action,
      from: fromType && `${fromType} ${fromId}`,
      to: toType && `${toType} ${toId}`,
      by: names.get(actorId ?? '') ?? null,
      at,
    }));
  }
}
