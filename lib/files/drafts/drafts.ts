import { Inject, Injectable, Optional } from '@nestjs/common';
import { FILES_CLOCK } from '../clock.js';
import type { Clock } from '../clock.js';
import type { ManagedFile } from '../managed-file.entity.js';
import type { OwnerReference } from '../owner-reference.js';
import { DRAFT_OPTIONS } from './draft-options.js';
import type { CheckedDraftOptions } from './draft-options.js';

/** When files expire that nobody attaches. */
@Injectable()
export class Drafts {
  constructor(
    @Inject(DRAFT_OPTIONS) private readonly options: CheckedDraftOptions,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /** Whether the application has the option `drafts`. */
  get areOn(): boolean {
    return this.options.expireAfter !== undefined;
  }

  /** For a file that its owner uploads now. A file without an owner is not a draft, and stays. */
  expiryOfNew(owner: OwnerReference | null): Date | null {
    return owner && this.options.expireAfter !== undefined ? new Date(this.now() + this.options.expireAfter) : null;
  }

  /** For a file that gets new content now: somebody still works on the draft. */
  expiryOfReplaced({ expiresAt }: Pick<ManagedFile, 'expiresAt'>): Date | null {
    if (expiresAt === null || this.options.expireAfter === undefined) return expiresAt;
    return new Date(Math.max(expiresAt.getTime(), this.now() + this.options.expireAfter));
  }
}
