/**
 * The command line, for a script of the application.
 * @module nestjs-files/cli
 */

export { runFilesCli } from '../cli/run-files-cli.js';
export type { FilesCliExitCode, FilesCliOptions } from '../cli/run-files-cli.js';
export type { Sink as FilesCliSink } from '../cli/progress.js';
