import { reachableDatabases } from '../support/databases.js';
import { itDerivesAfterCrashes } from '../support/describe-derive-crashes.js';

const [database] = await reachableDatabases('file');
if (database) itDerivesAfterCrashes(database, 1);
