import { MalformedUploadError } from '../errors/malformed-upload.error.js';
import { UploadLimitError } from '../errors/upload-limit.error.js';
import { quoted } from './field-path.js';

const MAX_BYTES = 1024 * 1024;
const PLACE = /^(?:0|[1-9]\d*)$/;

type Node = Branch | Leaf;
type Branch = Map<string, Node>;

/** What was sent under one name, once or more often. */
interface Leaf {
  readonly values: string[];
  isList: boolean;
}

/** The body that the fields of a form come to: objects, and lists where all names on a level are numbers. */
export class FormBody {
  readonly #root: Branch = new Map();
  #bytes = 0;

  /** Adds a text; names sent several times, and those that end in `[]`, make lists. */
  addText(name: string, path: readonly string[], value: string): void {
    this.#bytes += Buffer.byteLength(value);
    if (this.#bytes > MAX_BYTES) throw new UploadLimitError('the bytes of all fields', MAX_BYTES);
    this.#add(name, path, value, path.at(-1) === '');
  }

  /** Adds the id of a file to the field that takes it. */
  addFile(name: string, path: readonly string[], id: string, isList: boolean): void {
    this.#add(name, path, id, isList);
  }

  /** Whether something was sent under the name already. */
  has(path: readonly string[]): boolean {
    let node: Node | undefined = this.#root;
    for (const step of withoutEnd(path)) node = node instanceof Map ? node.get(step) : undefined;
    return node !== undefined;
  }

  /** The body, made of plain objects and lists. Places that were left out of a list do not count. */
  toObject(): Record<string, unknown> {
    return Object.fromEntries([...this.#root].map(([key, node]) => [key, plain(node)]));
  }

  #add(name: string, path: readonly string[], value: string, isList: boolean): void {
    const steps = withoutEnd(path);
    const last = steps.at(-1) ?? '';
    let branch = this.#root;
    for (const step of steps.slice(0, -1)) {
      const next = branch.get(step) ?? new Map<string, Node>();
      if (!(next instanceof Map)) throw contradiction(name);
      branch.set(step, next);
      branch = next;
    }
    const leaf = branch.get(last) ?? { values: [], isList };
    if (leaf instanceof Map) throw contradiction(name);
    leaf.values.push(value);
    leaf.isList ||= isList;
    branch.set(last, leaf);
  }
}

/** `tags[]` is the same field as `tags`. */
function withoutEnd(path: readonly string[]): readonly string[] {
  return path.at(-1) === '' ? path.slice(0, -1) : path;
}

function contradiction(name: string): MalformedUploadError {
  return new MalformedUploadError(`the field ${quoted(name)} is both a value and an object`);
}

function plain(node: Node): unknown {
  if (!(node instanceof Map)) return node.isList || node.values.length > 1 ? node.values : node.values[0];
  const entries = [...node];
  if (entries.length > 0 && entries.every(([key]) => PLACE.test(key))) {
    return entries.toSorted(([one], [other]) => Number(one) - Number(other)).map(([, inner]) => plain(inner));
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
}
