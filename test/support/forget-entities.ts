import { fileURLToPath } from 'node:url';

interface EntitiesMetadataStorage {
  readonly storage: Map<unknown, unknown>;
}

// What `TypeOrmModule.forFeature()` was told is kept by the name of the data source, for as long as the process lives:
// the next file's application would get the entities of this one's.
const ofNest = new URL('../../node_modules/@nestjs/typeorm/dist/entities-metadata.storage.js', import.meta.url);
const { EntitiesMetadataStorage: kept } = (await import(fileURLToPath(ofNest))) as Record<
  'EntitiesMetadataStorage',
  EntitiesMetadataStorage
>;
kept.storage.clear();
