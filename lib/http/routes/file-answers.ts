import { Inject, Injectable, Optional } from '@nestjs/common';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { toPublicFile } from '../../files/public-file.js';
import type { PublicFile } from '../../files/public-file.js';
import type { FilesHttpOptions } from '../http-options.js';

/** For `@Header()`: what one actor may know is in no cache that others use, and not shown again without asking. */
export const PRIVATE = ['Cache-Control', 'private, no-cache'] as const;

/** The application's option `http.metadata`. */
export const SHOWN_METADATA = Symbol('SHOWN_METADATA');

/** How the routes answer a file. */
@Injectable()
export class FileAnswers {
  constructor(@Optional() @Inject(SHOWN_METADATA) private readonly shown?: FilesHttpOptions['metadata']) {}

  /** The public fields, with the part of the metadata that the application shows. */
  of(file: ManagedFile): PublicFile {
    return this.shown ? { ...toPublicFile(file), metadata: this.shown(file) } : toPublicFile(file);
  }
}
