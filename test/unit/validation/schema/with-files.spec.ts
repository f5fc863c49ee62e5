import { validate } from 'class-validator';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { uuidV7 } from '../../../../lib/files/file-id.js';
import { AcceptFileType, TransferOwnership } from '../../../../lib/validation/file-constraints.js';
import type { FileRules } from '../../../../lib/validation/schema/file-rules.js';
import {
  acceptFileStorage,
  acceptFileType,
  fileExists,
  maxFileSize,
  transferOwnership,
} from '../../../../lib/validation/schema/rules.js';
import type { SchemaOutput, StandardSchema } from '../../../../lib/validation/schema/standard-schema.js';
import { withFiles } from '../../../../lib/validation/schema/with-files.js';
import { ownershipApp } from '../../../support/ownership-app.js';
import type { OwnershipApp } from '../../../support/ownership-app.js';
import { insertFile } from '../../../support/ownership-databases.js';

let app: OwnershipApp;
beforeAll(async () => void (app = await ownershipApp()));
afterAll(() => app.close());
afterEach(() => void (app.statements.length = 0));

const mine = { ownerType: 'user', ownerId: 'ada' };
const insert = (file: Parameters<typeof insertFile>[1] = mine) => insertFile(app.dataSource, file);
const fileStatements = () => app.statements.filter((sql) => /SELECT.*files_file/i.test(sql));

/** The issues of a schema, as `path: message`. */
async function issuesOf(schema: StandardSchema, value: unknown): Promise<string[]> {
  const { issues = [] } = await schema['~standard'].validate(value);
  return issues.map(({ path = [], message }) =>
    [path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.'), message]
      .filter(Boolean)
      .join(': '),
  );
}

const NO_FILE = 'The file does not exist, or you may not use it';
const missing = uuidV7();

describe('withFiles()', () => {
  const zodded = z.object({
    coverId: z.string().nullish(),
    galleryIds: z.array(z.string()).default([]),
    meta: z.object({ logoId: z.string() }).nullish(),
    parts: z.array(z.object({ fileId: z.string() })).optional(),
    byLanguage: z.record(z.string(), z.string()).optional(),
    byKey: z.record(z.string(), z.object({ fileId: z.string() })).optional(),
    either: z
      .discriminatedUnion('kind', [
        z.object({ kind: z.literal('image'), imageId: z.string() }),
        z.object({ kind: z.literal('text'), text: z.string() }),
      ])
      .optional(),
  });
  const valibotted = v.object({
    coverId: v.nullish(v.string()),
    galleryIds: v.optional(v.array(v.string()), []),
    meta: v.nullish(v.object({ logoId: v.string() })),
    parts: v.optional(v.array(v.object({ fileId: v.string() }))),
    byLanguage: v.optional(v.record(v.string(), v.string())),
    byKey: v.optional(v.record(v.string(), v.object({ fileId: v.string() }))),
    either: v.optional(
      v.variant('kind', [
        v.object({ kind: v.literal('image'), imageId: v.string() }),
        v.object({ kind: v.literal('text'), text: v.string() }),
      ]),
    ),
  });
  const rules: FileRules<z.infer<typeof zodded>> = {
    coverId: fileExists(),
    galleryIds: fileExists(),
    meta: { logoId: fileExists() },
    parts: { fileId: fileExists() },
    byLanguage: { '*': fileExists() },
    byKey: { '*': { fileId: fileExists() } },
    either: { imageId: fileExists() },
  };

  describe.each([
    ['Zod', withFiles(zodded, rules)],
    ['Valibot', withFiles(valibotted, rules)],
  ])('around a schema of %s', (_, schema) => {
    it('finds ids anywhere in the value, with one SELECT, and returns the schema’s result', async () => {
      const [a, b] = [await insert(), await insert()];
      app.statements.length = 0;
      const sent = {
        coverId: a,
        galleryIds: [a, b],
        meta: { logoId: b },
        parts: [{ fileId: a }, { fileId: b }],
        byLanguage: { en: a },
        byKey: { one: { fileId: b } },
        either: { kind: 'image', imageId: b },
        more: 'is left out',
      };
      const { more: _more, ...made } = sent;
      expect(await schema['~standard'].validate(sent)).toMatchObject({ value: made });
      expect(fileStatements()).toHaveLength(1);
    });

    it('says where files are missing', async () => {
      const there = await insert();
      const issues = await issuesOf(schema, {
        coverId: missing,
        galleryIds: [there, missing, 'no id'],
        meta: { logoId: missing },
        parts: [{ fileId: there }, { fileId: missing }],
        byLanguage: { en: there, de: missing },
        byKey: { one: { fileId: missing } },
        either: { kind: 'image', imageId: missing.toUpperCase() },
      });
      expect(issues).toEqual([
        `coverId: ${NO_FILE}`,
        `galleryIds: ${NO_FILE}: no id`,
        `meta.logoId: ${NO_FILE}`,
        `parts.1.fileId: ${NO_FILE}`,
        `byLanguage.de: ${NO_FILE}`,
        `byKey.one.fileId: ${NO_FILE}`,
        `either.imageId: ${NO_FILE}`,
      ]);
    });

    it('asks nothing about absent fields, null or another member of a union', async () => {
      expect(await issuesOf(schema, {})).toEqual([]);
      expect(await issuesOf(schema, { coverId: null, meta: null, parts: [] })).toEqual([]);
      expect(await issuesOf(schema, { either: { kind: 'text', text: missing } })).toEqual([]);
      expect(fileStatements()).toEqual([]);
    });

    it('leaves it at the issues of the schema, if there are any', async () => {
      const issues = await issuesOf(schema, { coverId: missing, parts: 'none' });
      expect(issues).toEqual([expect.stringMatching(/^parts: /)]);
      expect(fileStatements()).toEqual([]);
    });
  });

  it('gives the messages of the decorators', async () => {
    class FileDto {
      @AcceptFileType('image') @TransferOwnership('package', { allowUnowned: true }) one!: string;
      @TransferOwnership('package', { allowUnowned: true }) many!: string[];
    }
    const schema = withFiles(z.object({ one: z.string(), many: z.array(z.string()) }), {
      one: [transferOwnership('package', { allowUnowned: true }), acceptFileType('image')],
      many: transferOwnership('package', { allowUnowned: true }),
    });
    const [foreign, pinned, own] = [await insert(), await insert({ pinned: true }), await insert({})];
    const values = [
      { one: foreign, many: [pinned, own, foreign] },
      { one: pinned, many: [own, own] },
      { one: '', many: ['x'.repeat(100), missing] },
    ];
    for (const value of values) {
      await app.queue.run(async () => {
        const errors = await validate(Object.assign(new FileDto(), value));
        const decorated = errors.flatMap(({ constraints = {} }) => Object.values(constraints));
        expect(decorated.length).toBeGreaterThan(1);
        expect((await issuesOf(schema, value)).toSorted()).toEqual(decorated.toSorted());
      });
    }
  });

  it('checks types, storages and sizes, and gives the messages it is told to give', async () => {
    const schema = withFiles(z.object({ id: z.string(), other: z.string() }), {
      id: [acceptFileType('pdf', 'image'), acceptFileStorage('images'), maxFileSize('1kB')],
      other: [
        acceptFileType('image', { message: 'not an image' }),
        acceptFileStorage('images', { message: 'not there' }),
        maxFileSize(100, { message: 'too big' }),
        fileExists({ message: 'lost' }),
      ],
    });
    const id = await insert({ contentType: 'text/plain', size: 2000 });
    expect(await issuesOf(schema, { id, other: id })).toEqual([
      'id: File type must be one of pdf, image',
      'id: File storage must be one of images',
      'id: File must not be larger than 1kB',
      'other: not an image',
      'other: not there',
      'other: too big',
    ]);
    expect(await issuesOf(schema, { id: await insert({ storage: 'images' }), other: missing })).toEqual([
      'other: not an image',
      'other: not there',
      'other: too big',
      'other: lost',
    ]);
  });

  it('takes rules for a whole value, lists of them, sets, maps and values that contain their like', async () => {
    expect(await issuesOf(withFiles(z.string(), fileExists()), missing)).toEqual([NO_FILE]);
    expect(await issuesOf(withFiles(z.array(z.string()), fileExists()), [missing])).toEqual([`${NO_FILE}: ${missing}`]);
    const list = withFiles(z.array(z.object({ fileId: z.string() })), { fileId: fileExists() });
    expect(await issuesOf(list, [{ fileId: await insert() }, { fileId: missing }])).toEqual([`1.fileId: ${NO_FILE}`]);
    const lists = withFiles(
      z.object({ set: z.array(z.string()).transform((ids) => new Set(ids)), map: z.map(z.string(), z.string()) }),
      { set: fileExists(), map: { '*': fileExists() } },
    );
    expect(await issuesOf(lists, { set: [missing], map: new Map([['k', missing]]) })).toEqual([
      `set: ${NO_FILE}: ${missing}`,
      `map.k: ${NO_FILE}`,
    ]);

    interface Comment {
      fileId: string;
      replies: Comment[];
    }
    const Comment: z.ZodType<Comment> = z.lazy(() => z.object({ fileId: z.string(), replies: z.array(Comment) }));
    const commentRules: FileRules<Comment> = { fileId: fileExists() };
    commentRules.replies = commentRules;
    const there = await insert();
    const thread = { fileId: there, replies: [{ fileId: there, replies: [{ fileId: missing, replies: [] }] }] };
    expect(await issuesOf(withFiles(Comment, commentRules), thread)).toEqual([
      `replies.0.replies.0.fileId: ${NO_FILE}`,
    ]);
  });

  // Zod tries without promises first, and begins anew where that is not enough.
  it('checks files once where the schema itself has to wait', async () => {
    const schema = withFiles(z.object({ fileId: z.string().refine(async () => true) }), {
      fileId: [fileExists(), transferOwnership('package', { allowUnowned: true })],
    });
    const fileId = await insert({});
    app.statements.length = 0;
    const run = app.queue.run(async () => {
      expect(await issuesOf(schema, { fileId })).toEqual([]);
      expect([fileStatements().length, app.queue.size]).toEqual([1, 1]);
      throw new Error('enough');
    });
    await expect(run).rejects.toThrow('enough');
  });

  it('gives the ids in lower case, wherever they stand', async () => {
    const id = await insert();
    const anything = {
      '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) },
    };
    const upper = id.toUpperCase();
    const rules = { one: fileExists(), list: fileExists(), set: fileExists(), map: { '*': fileExists() } };
    const sent = { one: upper, list: [upper], set: new Set([upper]), map: new Map([['a', upper]]) };
    expect(await withFiles(anything, rules)['~standard'].validate(sent)).toEqual({
      value: { one: id, list: [id], set: new Set([id]), map: new Map([['a', id]]) },
    });
    expect(await withFiles(anything, fileExists())['~standard'].validate(upper)).toEqual({ value: id });
  });

  it('queues nothing of a value that it refuses', async () => {
    const schema = withFiles(z.object({ one: z.string(), two: z.string(), three: z.string().nullable() }), {
      one: transferOwnership('package', { allowUnowned: true }),
      two: transferOwnership('package'),
      three: transferOwnership('package'),
    });
    const one = await insert({});
    await app.queue.run(async () => {
      expect(await issuesOf(schema, { one, two: missing, three: null })).toEqual([
        'two: The file does not exist, or you may not use it',
      ]);
      expect(app.queue.size).toBe(0);
    });
  });

  it('fails where a file would be transferred outside of a unit of work', async () => {
    const schema = withFiles(z.object({ parts: z.array(z.object({ fileId: z.string() })) }), {
      parts: { fileId: transferOwnership('package') },
    });
    await expect(issuesOf(schema, { parts: [{ fileId: missing }] })).rejects.toThrow(
      "schema.parts.0.fileId has transferOwnership('package') and was validated outside of a unit of work",
    );
  });

  it('refuses rules that make no sense, where they stand', () => {
    const schema: StandardSchema = z.unknown();
    expect(() => withFiles(schema, { a: { b: AcceptFileType('pdf') } } as never)).toThrow(
      'withFiles() on "a.b": it is not a rule.',
    );
    expect(() => withFiles(schema, transferOwnership('package'))).toThrow('it goes on a property of an object.');
    expect(() => acceptFileType('no type!')).toThrow(
      'acceptFileType() on a property: "no type!" is not a content type.',
    );
    expect(() => transferOwnership('package', { idfield: 'x' } as never)).toThrow('transferOwnership() on a property');
    expect(() => transferOwnership(' ')).toThrow('Owner type');
  });

  it('keeps the types of the schema, and knows its fields', () => {
    const schema = withFiles(z.object({ count: z.string().transform(Number), fileId: z.uuid().optional() }), {
      fileId: fileExists(),
    });
    type Types = NonNullable<(typeof schema)['~standard']['types']>;
    expectTypeOf<Types['input']>().toEqualTypeOf<{ count: string; fileId?: string | undefined }>();
    expectTypeOf<SchemaOutput<typeof schema>>().toEqualTypeOf<{ count: number; fileId?: string | undefined }>();

    const parts = v.object({ name: v.string(), size: v.number(), parts: v.array(v.object({ fileId: v.string() })) });
    type Part = { fileId: string };
    const about = (owner: (result: unknown, dto: Part) => string) => transferOwnership('package', { owner });
    withFiles(parts, { parts: { fileId: about((_, dto) => dto.fileId) } });
    // @ts-expect-error the schema has no such field
    withFiles(parts, { nome: fileExists() });
    // @ts-expect-error a number is no file's id
    withFiles(parts, { size: fileExists() });
    // @ts-expect-error the files are one level deeper
    withFiles(parts, { parts: fileExists() });
    // @ts-expect-error the function is about objects that have another shape
    withFiles(parts, { name: about((_, dto) => dto.fileId) });
  });

  it('tells the JSON schema of the library', () => {
    const schema = withFiles(z.object({ fileId: z.string() }), { fileId: fileExists() });
    const standard = schema['~standard'] as unknown as { jsonSchema: { input: (options: object) => object } };
    expect(standard.jsonSchema.input({ target: 'draft-2020-12' })).toMatchObject({
      properties: { fileId: { type: 'string' } },
    });
  });
});
