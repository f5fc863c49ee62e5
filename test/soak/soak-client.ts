import { setTimeout as delay } from 'node:timers/promises';
import { CHANGES } from './changing.js';
import type { ClientView } from './client-view.js';
import { Ledger } from './ledger.js';
import { Random } from './random.js';
import { READINGS } from './reading.js';
import { badInput } from './refused.js';
import type { SoakRequest } from './request.js';
import type { Tally } from './tally.js';
import { codeOf, Wire } from './wire.js';
import type { Answer, GoneAway } from './wire.js';

const MIXTURE: readonly (readonly [string, number])[] = [
  ['upload', 18],
  ['create record', 5],
  ['attach', 12],
  ['detach', 6],
  ['upload in action', 8],
  ['replace', 7],
  ['rename', 5],
  ['transfer', 6],
  ['delete', 6],
  ['delete record', 2],
  ['search', 8],
  ['download', 10],
  ['range', 8],
  ['bad input', 5],
];
const ROOM = { files: 20, shelves: 8 };

/** One of the hundred: does this and that, one after the other, and notes what it is told. */
export class SoakClient {
  readonly ledger = new Ledger();
  /** What was answered and cannot be. */
  readonly wrong: string[] = [];
  readonly wire: Wire;
  readonly #random: Random;
  readonly #view: ClientView;
  #names = 0;

  constructor(
    url: string,
    readonly user: string,
    seed: number,
    private readonly tally: Tally,
  ) {
    this.wire = new Wire(url, user);
    this.#random = new Random(seed);
    this.#view = {
      random: this.#random,
      user,
      nextName: (ending) => `${user}-${++this.#names}.${ending}`,
      file: () => this.#oneOf(this.ledger.liveFiles()),
      shelf: () => this.#oneOf(this.ledger.liveShelves()),
      stateOf: (id) => this.ledger.files.get(id)?.[0],
      filesOf: (owner) => this.ledger.liveFiles().flatMap(([id, state]) => (state.owner === owner ? [id] : [])),
    };
  }

  /** Goes on until it is told to stop, thinking a little in between. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const request = this.#next();
      if (request) await this.#do(request);
      await delay(this.#random.between(0, 100));
    }
  }

  #next(): SoakRequest | undefined {
    if (this.ledger.liveFiles().length > ROOM.files && this.#random.once(2)) return CHANGES['delete']!(this.#view);
    if (this.ledger.liveShelves().length > ROOM.shelves) return CHANGES['delete record']!(this.#view);
    const kind = this.#random.weighted(MIXTURE);
    return kind === 'bad input' ? badInput(this.#view) : (CHANGES[kind] ?? READINGS[kind])?.(this.#view);
  }

  async #do({ kind, message, change = {}, novelty = {}, learn, check }: SoakRequest): Promise<void> {
    const goneAway = this.#random.once(20) ? this.#leaving(message.body !== undefined) : undefined;
    const answer = await this.wire.send({ ...message, goneAway });
    const outcome = outcomeOf(answer, goneAway);
    this.tally.add(kind, answer, goneAway);
    if (outcome === 'unknown') this.ledger.unknown(change, novelty);
    if (outcome !== 'done' || !answer) return this.#expectThere(kind, answer);
    this.ledger.done(change);
    if (learn) this.ledger.done(learn(JSON.parse(answer.body.toString()) as Parameters<typeof learn>[0]));
    const wrong = check?.(answer);
    if (wrong !== undefined) this.wrong.push(wrong);
  }

  // Nobody else touches what a client is certain of.
  #expectThere(kind: string, answer: Answer | undefined): void {
    if (answer?.status === 404 && READINGS[kind]) this.wrong.push(`${this.user}: a ${kind} was answered 404`);
  }

  #leaving(hasBody: boolean): GoneAway {
    return hasBody && this.#random.once(2) ? 'halfway' : this.#random.between(0, 300);
  }

  #oneOf<T>(from: readonly T[]): T | undefined {
    return from.length === 0 ? undefined : this.#random.pick(from);
  }
}

function outcomeOf(answer: Answer | undefined, goneAway: GoneAway | undefined): 'done' | 'refused' | 'unknown' {
  // What has not come whole is never done.
  if (!answer) return goneAway === 'halfway' ? 'refused' : 'unknown';
  if (answer.status < 300) return 'done';
  return answer.status === 503 && codeOf(answer) === 'FILES_COMMIT_OUTCOME_UNKNOWN' ? 'unknown' : 'refused';
}
