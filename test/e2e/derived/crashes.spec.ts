import { reachableDatabases } from '../../support/databases.js';
import { itDerivesAfterCrashes } from '../../support/describe-derive-crashes.js';

// `npm run test:crash` has every statement.
const [database] = await reachableDatabases('file');
if (database) itDerivesAfterCrashes(database, 31);
