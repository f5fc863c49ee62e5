import { Injectable, Logger } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { Transactor } from '../../unit-of-work/transactor.js';
import { ownerEntitiesOf } from '../owner-entities.js';
import type { OwnerClass } from '../owner-entities.js';

/**
 * Warns at boot about owners whose rows the database may remove by a cascade: the library does not notice, and their
 * files stay.
 */
@Injectable()
export class DatabaseCascadesCheck implements OnApplicationBootstrap {
  readonly #logger = new Logger('OwnsFiles');

  constructor(private readonly transactor: Transactor) {}

  onApplicationBootstrap(): void {
    const owners = ownerEntitiesOf(this.transactor.dataSource).filter(({ onDelete }) => onDelete !== 'keep');
    for (const warning of owners.flatMap(warningsOf)) this.#logger.warn(warning);
  }
}

function warningsOf({ metadata, ownerType, onDelete }: OwnerClass): string[] {
  const cascades = metadata.relations.filter((relation) =>
    relation.foreignKeys.some((key) => key.onDelete === 'CASCADE'),
  );
  return cascades.map(
    ({ propertyPath, inverseEntityMetadata }) =>
      `Files of type "${ownerType}" can be left behind: with \`onDelete: 'CASCADE'\` on ${metadata.name}.${propertyPath} the database ` +
      `removes ${metadata.name} rows without TypeORM, so \`onDelete: '${onDelete}'\` is not applied. Remove the CASCADE ` +
      `and remove the ${metadata.name} entities with \`cascade: ['remove']\` or before the ${inverseEntityMetadata.name}.`,
  );
}
