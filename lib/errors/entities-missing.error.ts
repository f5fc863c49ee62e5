import { FilesError } from './files-error.js';

/** The data source does not know the library's entities. Thrown at boot. */
export class EntitiesMissingError extends FilesError {
  readonly code = 'FILES_ENTITIES_MISSING';

  constructor(
    /** The data source's name. */
    readonly dataSource: string,
    /** The names of the entities. */
    readonly missing: readonly string[],
  ) {
    super(
      `Data source "${dataSource}" lacks the entities ${missing.join(', ')}. Set \`autoLoadEntities: true\` in ` +
        'TypeOrmModule.forRoot(), or list them: `entities: [...FILES_ENTITIES, …]`.',
    );
  }
}
