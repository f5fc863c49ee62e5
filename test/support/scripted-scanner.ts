import { EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { FileScanner, ScanContext, ScanVerdict } from '../../lib/storage/file-scanner.js';

type Script = (content: Readable, context: ScanContext, attempt: number) => unknown;

/** A scanner that does what a test says. Without a script, it takes content with the word `virus` for infected. */
export class ScriptedScanner implements FileScanner {
  /** How many scans have begun. */
  scans = 0;
  script: Script | undefined;
  readonly #events = new EventEmitter();

  constructor(
    readonly name = 'scripted',
    readonly maxSize?: number,
  ) {}

  async scan(content: Readable, context: ScanContext): Promise<ScanVerdict> {
    this.scans++;
    this.#events.emit('scan');
    if (this.script) return (await this.script(content, context, this.scans)) as ScanVerdict;
    const isInfected = (await text(content)).includes('virus');
    return isInfected ? { clean: false, finding: 'Scripted.Virus' } : { clean: true };
  }

  /** Resolves when so many scans have begun. */
  async begun(count: number): Promise<void> {
    while (this.scans < count) await once(this.#events, 'scan');
  }
}
