import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/** The standard output is for results. */
export class StderrLogger extends ConsoleLogger {
  constructor() {
    super({ logLevels: ['fatal', 'error', 'warn'] });
  }

  protected override printMessages(messages: unknown[], context?: string, logLevel?: LogLevel): void {
    // Nest logs what it throws, and that is told at the end.
    if (context !== 'ExceptionHandler') super.printMessages(messages, context, logLevel, 'stderr');
  }
}
