import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FilesError } from '../../../lib/errors/files-error.js';
import { resolveOwner } from '../../../lib/ownership/owner-resolution.js';
import { claimOf, outcomeOf } from '../../support/ownership-claims.js';

interface Item {
  id?: number;
  fileId?: string | null;
}

// A handler saves an entity for each DTO, and returns them as it likes.
const scene = fc
  .record({
    files: fc.uniqueArray(fc.stringMatching(/^[a-h]$/), { minLength: 1, maxLength: 6 }),
    existing: fc.array(fc.record({ fileId: fc.option(fc.stringMatching(/^[p-z]$/)) }), { maxLength: 4 }),
    sameObjects: fc.boolean(),
    dropped: fc.array(fc.nat(9), { maxLength: 3 }),
    repeated: fc.array(fc.nat(9), { maxLength: 3 }),
    hidden: fc.array(fc.nat(9), { maxLength: 3 }),
    withoutId: fc.array(fc.nat(9), { maxLength: 2 }),
    order: fc.infiniteStream(fc.nat(1000)),
    wrap: fc.constantFrom('none', 'none', 'none', 'data', 'list'),
    extraArguments: fc.array(fc.anything(), { maxLength: 2 }),
  })
  .map((made) => {
    const dtos = made.files.map((fileId) => ({ fileId, title: `title of ${fileId}` }));
    const owners = new Map(dtos.map((dto, index) => [dto.fileId, String(100 + index)]));
    const all: Item[] = [
      ...dtos.map(({ fileId }, index) => ({ id: 100 + index, fileId })),
      ...made.existing.map(({ fileId }, index) => ({ id: 200 + index, fileId })),
    ];
    made.hidden.forEach((at) => delete all[at]?.fileId);
    made.withoutId.forEach((at) => delete all[at]?.id);
    const returned = [
      ...all.filter((_, at) => !made.dropped.includes(at)),
      ...made.repeated.flatMap((at) => (all[at] ? [{ ...all[at] }] : [])),
    ];
    const ranks = new Map(returned.map((item) => [item, made.order.next().value as number]));
    returned.sort((left, right) => ranks.get(left)! - ranks.get(right)!);
    const body = { resources: dtos };
    const plain = { id: 7, resources: returned };
    const result = made.wrap === 'data' ? { data: plain } : made.wrap === 'list' ? returned : plain;
    const claimed = made.sameObjects ? dtos : dtos.map((dto) => ({ ...dto }));
    return { claimed, owners, args: [...made.extraArguments, body], result };
  });

describe('owner resolution', () => {
  it('gives the right owner or an error, never a wrong owner, whatever the result looks like', () => {
    let right = 0;
    fc.assert(
      fc.property(scene, ({ claimed, owners, args, result }) => {
        const outcome = outcomeOf(args, result);
        for (const dto of claimed) {
          let owner: string;
          try {
            owner = resolveOwner(claimOf(dto, 'fileId'), outcome);
          } catch (error) {
            expect(error).toBeInstanceOf(FilesError);
            continue;
          }
          expect(owner).toBe(owners.get(dto.fileId));
          right++;
        }
      }),
      { numRuns: 2000 },
    );
    expect(right).toBeGreaterThan(1000);
  });

  it('gives the right owner in every order, when the result shows ids and files', () => {
    const shuffled = fc
      .uniqueArray(fc.uuid(), { minLength: 1, maxLength: 30 })
      .chain((files) => fc.tuple(fc.constant(files), fc.shuffledSubarray(files, { minLength: files.length })));
    fc.assert(
      fc.property(shuffled, ([files, order]) => {
        const body = { resources: files.map((fileId) => ({ fileId })) };
        const result = { id: 1, resources: order.map((fileId) => ({ id: `owner of ${fileId}`, fileId })) };
        const outcome = outcomeOf([body], result);
        for (const dto of body.resources) {
          expect(resolveOwner(claimOf(dto, 'fileId'), outcome)).toBe(`owner of ${dto.fileId}`);
        }
      }),
    );
  });

  it('refuses to choose one of two owners when a file was sent twice', () => {
    const sent = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(sent, fc.boolean(), (files, sameObjects) => {
        const body = { resources: files.map((fileId) => ({ fileId })) };
        const result = { id: 1, resources: files.map((fileId, id) => ({ id, fileId })) };
        for (const dto of body.resources) {
          const claim = claimOf(sameObjects ? dto : { ...dto }, 'fileId');
          const twice = files.filter((fileId) => fileId === dto.fileId).length > 1;
          if (twice) expect(() => resolveOwner(claim, outcomeOf([body], result))).toThrow(FilesError);
          else expect(resolveOwner(claim, outcomeOf([body], result))).toBe(String(files.indexOf(dto.fileId)));
        }
      }),
    );
  });
});
