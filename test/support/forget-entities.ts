import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

// What @nestjs/typeorm keeps for as long as the process lives, and the next file's application would find.
const ofNest = (file: string): string =>
  fileURLToPath(new URL(`../../node_modules/@nestjs/typeorm/dist/${file}`, import.meta.url));

// The entities of `TypeOrmModule.forFeature()`, by the name of the data source.
const { EntitiesMetadataStorage: entities } = (await import(ofNest('entities-metadata.storage.js'))) as {
  EntitiesMetadataStorage: { readonly storage: Map<unknown, unknown> };
};
entities.storage.clear();

// The names of data sources of which it warns when another one gets the same: those of applications that failed to
// boot stay. Only @nestjs/typeorm 12 has them.
const registry = ofNest('data-source-name.registry.js');
if (existsSync(registry)) {
  const { DataSourceNameRegistry: names } = (await import(registry)) as { DataSourceNameRegistry: { clear(): void } };
  names.clear();
}
