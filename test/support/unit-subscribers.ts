import type { EntitySubscriberInterface, InsertEvent, Repository } from 'typeorm';
import { Audit, Watched } from './unit-entities.js';

/** Writes an audit row through the event's own manager. */
export class AuditThroughManager implements EntitySubscriberInterface<Watched> {
  listenTo(): typeof Watched {
    return Watched;
  }

  async afterInsert({ entity, manager }: InsertEvent<Watched>): Promise<void> {
    if (entity.id === 'by-manager') await manager.insert(Audit, { id: entity.id });
  }
}

/** Writes an audit row through a repository that was injected into it. */
export class AuditThroughRepository implements EntitySubscriberInterface<Watched> {
  constructor(private readonly audits: Repository<Audit>) {}

  listenTo(): typeof Watched {
    return Watched;
  }

  async beforeInsert({ entity }: InsertEvent<Watched>): Promise<void> {
    if (entity.id === 'by-repository') await this.audits.insert({ id: entity.id });
  }
}
