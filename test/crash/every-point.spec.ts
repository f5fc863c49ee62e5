import { reachableDatabases } from '../support/databases.js';
import { describeCrashes } from './describe-crashes.js';
import type { Plan } from './describe-crashes.js';

const plans = (await reachableDatabases('file', 'postgres', 'mariadb')).flatMap((database): Plan[] => [
  { database, way: 'its storage fails', every: 1 },
  ...(database.kind === 'file' ? [] : [{ database, way: 'its connection is cut', every: 1 } as const]),
  { database, way: 'its process is killed', every: 1 },
]);

describeCrashes(plans);
