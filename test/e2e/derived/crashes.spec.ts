import { reachableDatabases } from '../../support/databases.js';
import { itDerivesAfterCrashes } from '../../support/describe-derive-crashes.js';

// `npm run test:crash` has every statement, CI more of them.
const [database] = await reachableDatabases('file');
if (database) itDerivesAfterCrashes(database, process.env['CI'] ? 17 : 31);
