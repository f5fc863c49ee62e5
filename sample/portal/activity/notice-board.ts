import { Injectable, Logger } from '@nestjs/common';

const KEPT = 50;

/** Stands for the outside world, say mail: what was posted cannot be taken back. */
@Injectable()
export class NoticeBoard {
  readonly #logger = new Logger('NoticeBoard');
  #notices: string[] = [];

  post(notice: string): void {
    // Names are what people write: a line break would begin a line of the log that nobody has written.
    this.#logger.log(notice.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' '));
    this.#notices = [notice, ...this.#notices].slice(0, KEPT);
  }

  /** The newest first. */
  list(): readonly string[] {
    return this.#notices;
  }
}
