import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/** The standard output is for results. */
export class StderrLogger extends ConsoleLogger {
  constructor() {
    super({ logLevels: ['fatal', 'error', 'warn'] });
  }

  protected override printMessages(messages: unknown[], context?: string, logLevel?: LogLevel): void {
    // Nest also throws the error that it logs here, and the command line reports it at the end.
    if (context !== 'ExceptionHandler') super.printMessages(messages, context, logLevel, 'stderr');
  }
}
