import { AbstractLogger } from 'typeorm';
import type { LogLevel, LogMessage } from 'typeorm';

/** Notes each statement of a data source: `{ logging: ['query'], logger: new StatementLog(statements) }`. */
export class StatementLog extends AbstractLogger {
  constructor(private readonly statements: string[]) {
    super(['query']);
  }

  protected writeLog(_level: LogLevel, message: LogMessage | string | number | (LogMessage | string | number)[]): void {
    for (const part of [message].flat()) this.statements.push(String(typeof part === 'object' ? part.message : part));
  }
}
