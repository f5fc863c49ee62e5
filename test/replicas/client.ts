import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../soak/random.js';
import { metadata } from '../support/tus-app.js';
import type { Calls } from './calls.js';
import { Ledger } from './ledger.js';
import { answerOf, json, packageOf } from './wire.js';
import type { Answer, Request } from './wire.js';

const TUS = { 'Tus-Resumable': '1.0.0' };
const OFFSET_STREAM = { 'content-type': 'application/offset+octet-stream' };

/** What a client does, by how often each is to come. */
const MIXTURE = [
  ['upload', 30],
  ['save', 22],
  ['saveTwice', 6],
  ['saveTooMuch', 6],
  ['saveBadly', 4],
  ['replace', 8],
  ['remove', 6],
  ['draft', 8],
  ['resume', 6],
  ['read', 10],
] as const satisfies readonly (readonly [string, number])[];

/** One of the users of the portal: does one thing after the other, and notes what it was told. */
export class Client {
  readonly ledger: Ledger;
  /** Answers that cannot be. */
  readonly wrong: string[] = [];
  readonly #random: Random;
  #count = 0;

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly token: string,
    seed: number,
    private readonly quota: number,
    private readonly calls: Calls,
  ) {
    this.#random = new Random(seed);
    this.ledger = new Ledger(this.#random);
  }

  /** Goes on until it is told to stop. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this[this.#random.weighted(MIXTURE)]();
      await delay(this.#random.between(0, 30));
    }
  }

  /** Sends the rest of all resumable uploads. */
  async finish(): Promise<void> {
    while (this.ledger.unfinished.size > 0) {
      for (const [path, bytes] of this.ledger.unfinished) await this.#goOn(path, bytes);
      await delay(50);
    }
  }

  private async upload(size = this.#random.between(100, 16_000)): Promise<[string, Buffer] | undefined> {
    const bytes = this.#content(size);
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(bytes)]), `${this.#next()}.txt`);
    const request = { kind: 'upload', method: 'POST', path: '/files', body: form, needsBytes: true };
    const answer = await this.#expect(request, 201);
    if (!answer) return undefined;
    const { id } = JSON.parse(answer.body) as { id: string };
    this.ledger.free.set(id, bytes);
    return [id, bytes];
  }

  private async save(): Promise<void> {
    const [attachment, ...others] = this.ledger.take(this.#random.between(0, 3));
    const files = attachment ? [attachment, ...others] : others;
    const name = this.#next();
    const body = packageOf(name, attachment?.[0], others);
    const answer = await this.#expect({ kind: 'save', method: 'POST', path: '/packages', ...json(body) }, 201);
    if (!answer) return this.ledger.lose(files);
    const { id } = JSON.parse(answer.body) as { id: string };
    this.ledger.names.push(name);
    this.ledger.packages.set(id, { attachmentId: attachment?.[0] ?? null, files: new Map(files) });
  }

  /** The name is another package's: the database refuses it. */
  private async saveTwice(): Promise<void> {
    const [name] = this.ledger.names;
    if (name !== undefined) await this.#saveInVain('saveTwice', 409, name, this.ledger.take(2));
  }

  /** The files are more than a package may have, which is found out after their transfer. */
  private async saveTooMuch(): Promise<void> {
    const uploaded = await this.upload(this.quota + 1);
    if (!uploaded) return;
    await this.#saveInVain('saveTooMuch', 413, this.#next(), [uploaded]);
    this.ledger.free.delete(uploaded[0]);
    this.ledger.limbo.set(...uploaded);
  }

  private async saveBadly(): Promise<void> {
    await this.#saveInVain('saveBadly', 400, 'Not a name!', this.ledger.take(1));
  }

  private async replace(): Promise<void> {
    const [file] = this.ledger.take(1);
    if (!file) return;
    const bytes = this.#content(this.#random.between(100, 16_000));
    const path = `/files/${file[0]}/content`;
    const headers = { 'content-type': 'application/octet-stream' };
    const body = new Uint8Array(bytes);
    const answer = await this.#expect({ kind: 'replace', method: 'PUT', path, headers, body, needsBytes: true }, 200);
    if (answer) this.ledger.free.set(file[0], bytes);
  }

  private async remove(): Promise<void> {
    const [file] = this.ledger.take(1);
    if (!file) return;
    if (await this.#expect({ kind: 'remove', method: 'DELETE', path: `/files/${file[0]}`, needsBytes: true }, 204))
      this.ledger.deleted.push(file[0]);
  }

  /** A record whose field deletes the file that it lets go of. */
  private async draft(): Promise<void> {
    const [file] = this.ledger.take(1);
    if (!file) return;
    const [draft] = this.ledger.drafts;
    const body = json({ scanId: file[0] });
    const [method, path, status] = draft
      ? (['PATCH', `/drafts/${draft[0]}`, 200] as const)
      : (['POST', '/drafts', 201] as const);
    const needsBytes = draft !== undefined;
    const answer = await this.#expect({ kind: 'draft', method, path, ...body, needsBytes }, status);
    if (draft) this.ledger.drafts.delete(draft[0]);
    if (!answer) return this.ledger.lose([file]);
    if (draft) this.ledger.deleted.push(draft[1]);
    this.ledger.drafts.set((JSON.parse(answer.body) as { id: string }).id, file[0]);
  }

  private async resume(): Promise<void> {
    const bytes = this.#content(this.#random.between(1_000, 16_000));
    const headers = {
      ...TUS,
      'Upload-Length': String(bytes.length),
      'Upload-Metadata': metadata({ filename: `${this.#next()}.txt`, filetype: 'text/plain' }),
    };
    const begun = await this.#expect(
      { kind: 'tus', method: 'POST', path: '/files/tus', headers, needsBytes: true },
      201,
    );
    if (!begun) return;
    const path = new URL(begun.headers.get('location') ?? '', this.url).pathname;
    this.ledger.unfinished.set(path, bytes);
    if (await this.#append(path, bytes, 0, bytes.length >> 1)) await this.#append(path, bytes, bytes.length >> 1);
  }

  private async read(): Promise<void> {
    if (this.ledger.packages.size === 0) return;
    const [id, { attachmentId }] = this.#random.pick([...this.ledger.packages]);
    const answer = await this.#expect({ kind: 'read', method: 'GET', path: `/packages/${id}` }, 200);
    if (answer && (JSON.parse(answer.body) as { attachmentId: unknown }).attachmentId !== attachmentId)
      this.wrong.push(`Package ${id} does not name file ${attachmentId}: ${answer.body}`);
  }

  async #saveInVain(kind: string, status: number, name: string, files: [string, Buffer][]): Promise<void> {
    const [attachment, ...others] = files;
    const body = json(packageOf(name, attachment?.[0], others));
    const answer = await this.#expect({ kind, method: 'POST', path: '/packages', ...body }, status);
    if (answer) this.ledger.giveBack(files);
    else this.ledger.lose(files);
  }

  async #append(path: string, bytes: Buffer, from: number, to = bytes.length): Promise<boolean> {
    const headers = { ...TUS, ...OFFSET_STREAM, 'Upload-Offset': String(from) };
    const body = new Uint8Array(bytes.subarray(from, to));
    const { status } = await this.#send({ kind: 'tus', method: 'PATCH', path, headers, body, needsBytes: true });
    if (status !== 204) return false;
    if (to === bytes.length) this.#finished(path, bytes);
    return true;
  }

  async #goOn(path: string, bytes: Buffer): Promise<void> {
    const { status, headers } = await this.#send({ kind: 'tus', method: 'HEAD', path, headers: TUS, needsBytes: true });
    if (status >= 400 && status < 500 && status !== 423) {
      this.wrong.push(`The upload ${path} is gone: ${status}`);
      this.ledger.unfinished.delete(path);
    }
    if (status !== 200) return;
    const offset = Number(headers.get('upload-offset'));
    if (offset === bytes.length) this.#finished(path, bytes);
    else await this.#append(path, bytes, offset);
  }

  #finished(path: string, bytes: Buffer): void {
    this.ledger.unfinished.delete(path);
    this.ledger.free.set(path.split('/').at(-1) ?? '', bytes);
  }

  /** The answer, if it is the one that has to come; undefined where a server has failed. */
  async #expect(request: Request, status: number): Promise<Answer | undefined> {
    const answer = await this.#send(request);
    if (answer.status === status) return answer;
    if (answer.status > 0 && answer.status < 500)
      this.wrong.push(`${request.kind} (${request.path}) was answered ${answer.status}: ${answer.body}`);
    return undefined;
  }

  async #send({ kind, needsBytes = false, path, ...init }: Request): Promise<Answer> {
    const begun = performance.now();
    const headers = { authorization: `Bearer ${this.token}`, ...init.headers };
    const answer = await answerOf(this.url + path, { ...init, headers });
    const upstream = answer.headers.get('x-upstream') ?? '';
    const ended = performance.now();
    this.calls.add({ kind, needsBytes, begun, ended, status: answer.status, upstream, body: answer.body });
    return answer;
  }

  #next(): string {
    return `${this.name}-${++this.#count}`;
  }

  #content(size: number): Buffer {
    return Buffer.alloc(size, `${this.name} wrote this as number ${++this.#count}. `);
  }
}
