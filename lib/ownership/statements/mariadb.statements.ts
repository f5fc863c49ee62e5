import type { EntityManager } from 'typeorm';
import { MysqlStatements, type Statement } from './mysql.statements.js';

/** MariaDB: statements that come one after the other go to the server together. */
export class MariadbStatements extends MysqlStatements {
  // https://mariadb.com/kb/en/begin-end/
  protected override write(manager: EntityManager, statements: readonly Statement[]): Promise<void> {
    if (statements.length === 1) return super.write(manager, statements);
    const sql = `BEGIN NOT ATOMIC ${statements.map((statement) => `${statement.sql}; `).join('')}END`;
    const values = statements.flatMap((statement) => statement.values);
    const witness = statements.find((statement) => statement.witness !== undefined)?.witness;
    return super.write(manager, [{ sql, values, witness }]);
  }
}
