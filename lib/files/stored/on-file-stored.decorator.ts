import { SetMetadata } from '@nestjs/common';
import type { ManagedFile } from '../managed-file.entity.js';

/** Metadata key of a method that is called for each stored file. */
export const ON_FILE_STORED = Symbol('ON_FILE_STORED');

/**
 * How a file got the content: by `create()` or an upload through the application, `register()`, `replace()`, `copy()`,
 * the completion of a direct upload, or a form or task that attached it to a record.
 */
export type StoringOperation = 'create' | 'register' | 'replace' | 'copy' | 'direct' | 'attach';

/** What a hook is told besides the file. */
export interface StoringContext {
  /** How the file got its content. */
  readonly operation: StoringOperation;
}

/**
 * Called for a file whose content is new, in the unit of work that has just written its row. The file is a copy of the
 * row. If the hook throws, the row is not saved, and the bytes are removed.
 */
export type StoredHook = (file: ManagedFile, context: StoringContext) => void | Promise<void>;

type StoredMethod = (file: never, context: StoringContext) => void | Promise<void>;

/**
 * Makes a provider's method be called for each file that gets content, in the unit of work that writes its row. It may
 * write, enqueue jobs, or refuse the file: throw `FileRefusedError`. Without a decorated method, nothing is called.
 * @example @OnFileStored() index(file: ManagedFile) { this.queue.enqueue('index', { fileId: file.id }); }
 */
export function OnFileStored(): <T extends StoredMethod>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<T>,
) => void {
  return SetMetadata(ON_FILE_STORED, true);
}
