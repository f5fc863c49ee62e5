import { startPrivatePostgres } from '../../scripts/private-postgres.mjs';
import type { PrivatePostgres } from '../../scripts/private-postgres.mjs';

/** A PostgreSQL server that a test may stop and start; none, and it is said why, where there cannot be one. */
export async function privateServer(): Promise<PrivatePostgres | undefined> {
  try {
    return await startPrivatePostgres();
  } catch (error) {
    console.log(`No PostgreSQL of its own can be started: the tests of its restart are skipped. ${String(error)}`);
    return undefined;
  }
}
