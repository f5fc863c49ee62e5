import { Injectable, Logger } from '@nestjs/common';

const KEPT = 50;

/** Represents the outside world, such as mail: a posted notice cannot be taken back. */
@Injectable()
export class NoticeBoard {
  readonly #logger = new Logger('NoticeBoard');
  #notices: string[] = [];

  post(notice: string): void {
    // Users write the names: a line break would forge a line of the log.
    this.#logger.log(notice.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' '));
    this.#notices = [notice, ...this.#notices].slice(0, KEPT);
  }

  /** The newest first. */
  list(): readonly string[] {
    return this.#notices;
  }
}
