import { Injectable, Logger } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import type { DataSource, EntityMetadata } from 'typeorm';
import { Transactor } from '../../unit-of-work/transactor.js';
import { guardedEntitiesOf, guardedEntity } from './guarded-entities.js';
import type { GuardedEntity } from './guarded-entities.js';

/** Warns at boot if the metadata shows that guarded rows can be written without the guard noticing. */
@Injectable()
export class UnseenWritesCheck implements OnApplicationBootstrap {
  readonly #logger = new Logger('OwnsFiles');

  constructor(private readonly transactor: Transactor) {}

  onApplicationBootstrap(): void {
    const { dataSource } = this.transactor;
    for (const entity of guardedEntitiesOf(dataSource)) {
      for (const warning of [...otherClasses(entity, dataSource), ...updatedByDatabase(entity)])
        this.#logger.warn(warning);
    }
  }
}

function otherClasses({ metadata }: GuardedEntity, { entityMetadatas }: DataSource): string[] {
  const { name, tablePath } = metadata;
  const others = entityMetadatas.filter((one) => one.tablePath === tablePath && !isFamily(one, metadata));
  return others
    .filter((other) => !guardedEntity(other))
    .map(
      (other) =>
        `Writes through ${other.name} are not checked: it maps the table "${tablePath}" of ${name} and declares none of its files. ` +
        `Put @OwnsFiles() and @FileField() on ${other.name}, too, or write through ${name}.`,
    );
}

/** Whether both belong to one inheritance: then each row of the table has one class. */
function isFamily(one: EntityMetadata, other: EntityMetadata): boolean {
  return one.inheritanceTree.some((ancestor) => other.inheritanceTree.includes(ancestor));
}

function updatedByDatabase({ metadata, idColumn, ownerType }: GuardedEntity): string[] {
  const keys = metadata.foreignKeys.filter((key) => key.onUpdate === 'CASCADE' && key.columns.includes(idColumn));
  return keys.map(
    ({ referencedEntityMetadata: parent }) =>
      `Files of type "${ownerType}" can be left behind: with \`onUpdate: 'CASCADE'\` on ${metadata.name}.${idColumn.propertyPath} the database changes ` +
      `the owner id without TypeORM when the ${parent.name} gets another one. Remove the CASCADE, and save the ${metadata.name} entities with their new id.`,
  );
}
