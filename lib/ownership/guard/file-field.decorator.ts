import { getMetadataArgsStorage, Index } from 'typeorm';
import type { ColumnOptions } from 'typeorm';
import { DecorationInvalidError } from '../../errors/setup.errors.js';

/** The policy for a file that a record no longer names. */
export type ReplacePolicy = 'keep' | 'release' | 'delete';

/** The options for a column that names files. */
export interface FileFieldOptions {
  /**
   * The policy for a file that the record no longer names: it stays the record's, it loses its owner and its pin, or it
   * is deleted with its bytes. @default 'keep'
   */
  readonly onReplace?: ReplacePolicy;
}

/** The options of a declared field, read. */
export interface DeclaredField {
  readonly onReplace: ReplacePolicy;
}

const NAME = '@FileField()';
const POLICIES: readonly ReplacePolicy[] = ['keep', 'release', 'delete'];
const LISTS = new Set<unknown>(['simple-array', 'simple-json', 'json', 'jsonb']);
const fields = new WeakMap<object, Map<string, DeclaredField>>();

/**
 * Declares that a column names one file or a list of files, by id. It stands above `@Column()`, or above the relation
 * to `ManagedFile`. Every row of a class with such a column is checked before the commit: it names only files that it
 * owns. A column of one id gets an index.
 * @example \@FileField({ onReplace: 'delete' }) \@Column('uuid', { nullable: true }) attachmentId!: string | null;
 */
export function FileField(options: FileFieldOptions = {}): PropertyDecorator {
  const { onReplace = 'keep', ...unknown } = options;
  return (target, key) => {
    const property = String(key);
    const place = `${target.constructor.name}.${property}`;
    const refuse = (why: string) => new DecorationInvalidError(NAME, place, why);
    const [name] = Object.keys(unknown);
    if (name !== undefined) throw refuse(`it has no option "${name}"; it takes onReplace.`);
    if (!POLICIES.includes(onReplace)) throw refuse(`onReplace must be one of ${POLICIES.join(', ')}.`);
    const known = fields.get(target.constructor) ?? new Map<string, DeclaredField>();
    fields.set(target.constructor, known.set(property, { onReplace }));
    if (needsIndex(target, property, refuse)) Index()(target, property);
  };
}

/** The declaration of the property by the class, or by a class that it extends. */
export function declaredField(declaringClass: unknown, property: string): DeclaredField | undefined {
  for (let at = declaringClass; typeof at === 'function'; at = Object.getPrototypeOf(at) as unknown) {
    const field = fields.get(at)?.get(property);
    if (field) return field;
  }
  return undefined;
}

/** Lists are found by their rows, and a unique column has an index already. */
function needsIndex(target: object, property: string, refuse: (why: string) => Error): boolean {
  const { columns, relations, indices, uniques } = getMetadataArgsStorage();
  const isHere = (args: { target: unknown; propertyName: string }) =>
    args.target === target.constructor && args.propertyName === property;
  const relation = relations.find(isHere);
  if (relation && !relation.relationType.endsWith('to-one')) {
    throw refuse('a relation names files only if it is @ManyToOne() or @OneToOne() with @JoinColumn().');
  }
  const column = columns.find(isHere);
  if (!relation && !column) throw refuse('put it above @Column(), or above the relation to ManagedFile.');
  const covers = ({ target: of, columns: covered }: { target: unknown; columns?: unknown }) =>
    of === target.constructor && Array.isArray(covered) && covered.length === 1 && covered[0] === property;
  if ([...indices, ...uniques].some(covers) || column?.options.unique || column?.options.primary) return false;
  return relation ? relation.relationType === 'many-to-one' : !isList(column?.options ?? {});
}

function isList({ type, array }: ColumnOptions): boolean {
  return array === true || LISTS.has(type) || String(type).endsWith('text');
}
