import { FilesError } from './files-error.js';

/** The data source does not know the library's entities. Thrown at boot. */
export class EntitiesMissingError extends FilesError {
  readonly code = 'FILES_ENTITIES_MISSING';

  constructor(
    readonly dataSource: string,
    readonly missing: readonly string[],
  ) {
    super(
      `Data source "${dataSource}" lacks the entities ${missing.join(', ')}. Set \`autoLoadEntities: true\` in ` +
        'TypeOrmModule.forRoot(), or list them: `entities: [...FILES_ENTITIES, …]`.',
    );
  }
}
