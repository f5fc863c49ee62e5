import type { EntityManager } from 'typeorm';
import { detach } from '../unit-of-work/scopes/ambient.js';
import type { Transactor } from '../unit-of-work/transactor.js';

type Read<T> = (manager: EntityManager) => Promise<T>;

/** How an audit reads the database: outside of any unit of work, wherever its loop stands, and never for long. */
export class AuditReads {
  constructor(private readonly transactor: Transactor) {}

  /** Reads what is committed when each statement begins. */
  now<T>(read: Read<T>): Promise<T> {
    return this.transactor.read(read);
  }

  /** Reads as of one moment: all statements see the same commits. */
  atOnce<T>(read: Read<T>): Promise<T> {
    const options = { isolationLevel: 'REPEATABLE READ', name: 'FilesAudit' } as const;
    return detach(() => this.transactor.run(({ manager }) => read(manager), options));
  }
}
