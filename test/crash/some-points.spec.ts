import { reachableDatabases } from '../support/databases.js';
import { describeCrashes } from './describe-crashes.js';
import type { Plan } from './describe-crashes.js';

// `npm run test:crash` does all of it, on all databases.
const databases = await reachableDatabases('file', 'postgres', 'mariadb');
const [server] = databases.filter(({ kind }) => kind !== 'file');

describeCrashes([
  ...databases.slice(0, 1).flatMap((database): Plan[] => [
    { database, way: 'its process is killed', every: 110 },
    { database, way: 'its storage fails', every: 1 },
  ]),
  ...(server ? [{ database: server, way: 'its connection is cut', every: 12 } as const] : []),
]);
