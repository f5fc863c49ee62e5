import { UploadMalformedError, UploadLimitExceededError } from '../../errors/requests.errors.js';
import { quoted } from './field-path.js';

const MAX_BYTES = 1024 * 1024;
const PLACE = /^(?:0|[1-9]\d*)$/;

type Node = Branch | Leaf;
type Branch = Map<string, Node>;

/** The values that were sent under one name. */
interface Leaf {
  values: string[];
  isList: boolean;
  /** Whether the value is the id of a file in the form. Such an id replaces any string. */
  isFile: boolean;
}

/** Builds a body from the fields of a form: objects, and lists if all names on a level are numbers. */
export class FormBody {
  readonly #root: Branch = new Map();
  #bytes = 0;

  /** Adds a string. A name that is sent several times, or that ends in `[]`, makes a list. */
  addText(name: string, path: readonly string[], value: string, isList = false): void {
    this.#bytes += Buffer.byteLength(value);
    if (this.#bytes > MAX_BYTES) throw new UploadLimitExceededError('the bytes of all fields', MAX_BYTES);
    const leaf = this.#leaf(name, path);
    leaf.isList ||= isList || path.at(-1) === '';
    if (!leaf.isFile) leaf.values.push(value);
  }

  /** Adds the id of a file to its field: to a list, or in place of a string, such as the id of the previous file. */
  addFile(name: string, path: readonly string[], id: string, isList: boolean): void {
    const leaf = this.#leaf(name, path);
    leaf.isList ||= isList;
    leaf.isFile = !leaf.isList;
    if (leaf.isFile) leaf.values = [id];
    else leaf.values.push(id);
  }

  /** Whether a file or a nested field was already sent under the name. */
  hasFile(path: readonly string[]): boolean {
    let node: Node | undefined = this.#root;
    for (const step of withoutEnd(path)) node = node instanceof Map ? node.get(step) : undefined;
    return node instanceof Map || node?.isFile === true;
  }

  /** The body, made of plain objects and lists. Gaps between the indexes of a list are closed. */
  toObject(): Record<string, unknown> {
    return Object.fromEntries([...this.#root].map(([key, node]) => [key, plain(node)]));
  }

  #leaf(name: string, path: readonly string[]): Leaf {
    const steps = withoutEnd(path);
    const last = steps.at(-1) ?? '';
    let branch = this.#root;
    for (const step of steps.slice(0, -1)) {
      const next = branch.get(step) ?? new Map<string, Node>();
      if (!(next instanceof Map)) throw contradiction(name);
      branch.set(step, next);
      branch = next;
    }
    const leaf = branch.get(last) ?? { values: [], isList: false, isFile: false };
    if (leaf instanceof Map) throw contradiction(name);
    branch.set(last, leaf);
    return leaf;
  }
}

/** `tags[]` is the same field as `tags`. */
function withoutEnd(path: readonly string[]): readonly string[] {
  return path.at(-1) === '' ? path.slice(0, -1) : path;
}

function contradiction(name: string): UploadMalformedError {
  return new UploadMalformedError(`the field ${quoted(name)} is both a value and an object`);
}

function plain(node: Node): unknown {
  if (!(node instanceof Map)) return node.isList || node.values.length > 1 ? node.values : node.values[0];
  const entries = [...node];
  if (entries.length > 0 && entries.every(([key]) => PLACE.test(key))) {
    return entries.toSorted(([one], [other]) => Number(one) - Number(other)).map(([, inner]) => plain(inner));
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
}
