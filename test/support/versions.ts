import { readFileSync } from 'node:fs';

function majorOf(name: string): string | undefined {
  const manifest = readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version.split('.')[0];
}

/** `npm run test:older` runs the tests with these. */
export const isNest11 = majorOf('@nestjs/common') === '11';

export const isTypeorm03 = majorOf('typeorm') === '0';

/** TypeORM 0.3 on SQLite neither waits for subscribers to hear of a statement, nor tells them of one that failed. */
export const hearsStatements = !isTypeorm03;
