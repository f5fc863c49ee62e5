import { Controller, Get, Param } from '@nestjs/common';
import { FilesService, RequireFileAccess } from 'nestjs-files';
import { UsersService } from '../users/users.service.js';

interface ProvenanceLine {
  action: string;
  from: string | null;
  to: string | null;
  by: string | null;
  at: Date;
}

/**
 * A route of the portal: the origin of a file, with names, for all who may see it. `FilesService` checks no access, so
 * the decorator does.
 */
@Controller('provenance')
export class ProvenanceController {
  constructor(
    private readonly files: FilesService,
    private readonly users: UsersService,
  ) {}

  @Get(':id')
  @RequireFileAccess('read', 'id')
  async provenance(@Param('id') id: string): Promise<ProvenanceLine[]> {
    const changes = await this.files.history(id);
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
