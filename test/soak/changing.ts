import { newContent, bytesOf } from './content.js';
import { NEW_SHELF } from './ledger.js';
import type { FileState, ShelfState } from './ledger.js';
import type { SoakRequest } from './request.js';
import { formOf, json } from './wire.js';
import type { ClientView } from './client-view.js';

type Field = 'coverId' | 'scanId';
type Files = [string, FileState | undefined][];

const FIELDS: readonly Field[] = ['coverId', 'scanId'];

/** Requests that change something; `undefined` where the client has nothing to do it with. */
export const CHANGES: Readonly<Record<string, (client: ClientView) => SoakRequest | undefined>> = {
  upload: ({ random, user, nextName }) => {
    const [name, content] = [nextName('txt'), newContent(random)];
    return {
      kind: 'upload',
      message: { method: 'POST', path: '/files', ...formOf({}, [{ field: 'file', name, content }]) },
      novelty: { files: new Map([[name, content]]) },
      learn: ({ id }) => ({ files: new Map([[id, { owner: `user ${user}`, name, content }]]) }),
    };
  },

  'create record': ({ random, nextName, file }) => {
    const chosen = file();
    const [label, field] = [nextName('shelf'), random.pick(FIELDS)];
    const named = chosen ? { [field]: chosen[0] } : {};
    return {
      kind: 'create record',
      message: { method: 'POST', path: '/shelves', ...json({ label, ...named }) },
      novelty: { label },
      ...(chosen && { change: { files: new Map([[chosen[0], { ...chosen[1], owner: NEW_SHELF }]]) } }),
      learn: ({ id }) => ({
        shelves: new Map([[id, { coverId: null, scanId: null, ...named }]]),
        files: new Map(chosen ? [[chosen[0], { ...chosen[1], owner: `shelf ${id}` }]] : []),
      }),
    };
  },

  attach: ({ random, file, shelf, stateOf }) => {
    const [chosen, target] = [file(), shelf()];
    if (!chosen || !target) return undefined;
    const [[fileId, state], [id, before], field] = [chosen, target, random.pick(FIELDS)];
    // What it holds already, in this field or in the other.
    if (FIELDS.some((one) => before[one] === fileId)) return undefined;
    const files: Files = [...letGo(field, before, stateOf), [fileId, { ...state, owner: `shelf ${id}` }]];
    return {
      kind: 'attach',
      message: { method: 'PATCH', path: `/shelves/${id}`, ...json({ [field]: fileId }) },
      change: { files: new Map(files), shelves: new Map([[id, { ...before, [field]: fileId }]]) },
    };
  },

  detach: ({ random, shelf, stateOf }) => {
    const target = shelf();
    if (!target) return undefined;
    const [[id, before], field] = [target, random.pick(FIELDS)];
    return {
      kind: 'detach',
      message: { method: 'PATCH', path: `/shelves/${id}`, ...json({ [field]: null }) },
      change: {
        files: new Map(letGo(field, before, stateOf)),
        shelves: new Map([[id, { ...before, [field]: null }]]),
      },
    };
  },

  'upload in action': ({ random, nextName, shelf, stateOf }) => {
    const target = random.once(3) ? undefined : shelf();
    const fields = random.once(3) ? FIELDS : [random.pick(FIELDS)];
    const sent = fields.map((field) => ({ field, name: nextName('txt'), content: newContent(random) }));
    const label = target ? undefined : nextName('shelf');
    const before: ShelfState = target?.[1] ?? { coverId: null, scanId: null };
    const replaced = fields.flatMap((field) => letGo(field, before, stateOf));
    return {
      kind: 'upload in action',
      message: {
        method: target ? 'PATCH' : 'POST',
        path: target ? `/shelves/${target[0]}/filled` : '/shelves/filled',
        ...formOf(label === undefined ? {} : { label }, sent),
      },
      change: { files: new Map(replaced), shelves: new Map(target ? [target] : []) },
      novelty: {
        files: new Map(sent.map(({ name, content }) => [name, content])),
        ...(label !== undefined && { label }),
      },
      learn: (body) => ({
        shelves: new Map([[body.id, { coverId: body.coverId ?? null, scanId: body.scanId ?? null }]]),
        files: new Map([
          ...replaced,
          ...sent.map(({ field, name, content }): [string, FileState] => [
            body[field] ?? `no id in ${field}`,
            { owner: `shelf ${body.id}`, name, content },
          ]),
        ]),
      }),
    };
  },

  replace: ({ random, file }) => {
    const chosen = file();
    if (!chosen) return undefined;
    const [[id, state], content] = [chosen, newContent(random)];
    return {
      kind: 'replace',
      message: {
        method: 'PUT',
        path: `/files/${id}/content`,
        headers: { 'content-type': 'application/octet-stream' },
        body: bytesOf(content),
      },
      change: { files: new Map([[id, { ...state, content }]]) },
    };
  },

  rename: ({ file, nextName }) => {
    const chosen = file();
    if (!chosen) return undefined;
    const [[id, state], name] = [chosen, nextName('txt')];
    return {
      kind: 'rename',
      message: { method: 'PATCH', path: `/files/${id}`, ...json({ name }) },
      change: { files: new Map([[id, { ...state, name }]]) },
    };
  },

  transfer: ({ random, user, file, shelf }) => {
    const [chosen, target] = [file(), shelf()];
    if (!chosen) return undefined;
    const [id, state] = chosen;
    const isGivenBack = state.owner === 'nobody' || !target || random.once(3);
    const owner = isGivenBack ? { ownerType: 'user', ownerId: user } : { ownerType: 'shelf', ownerId: target[0] };
    return {
      kind: 'transfer',
      message: {
        method: 'POST',
        path: `/files/${id}/transfer`,
        // What is nobody's is a manager's to give.
        ...(state.owner === 'nobody' && { user: 'admin' }),
        ...json(owner),
      },
      change: {
        files: new Map([[id, { ...state, owner: `${owner.ownerType} ${owner.ownerId}` }]]),
        shelves: new Map(target && !isGivenBack ? [target] : []),
      },
    };
  },

  delete: ({ file }) => {
    const chosen = file();
    if (!chosen) return undefined;
    const [id, { owner }] = chosen;
    const user = owner === 'nobody' ? { user: 'admin' } : {};
    return {
      kind: 'delete',
      message: { method: 'DELETE', path: `/files/${id}`, ...user },
      change: { files: new Map([[id, undefined]]) },
    };
  },

  'delete record': ({ shelf, filesOf }) => {
    const target = shelf();
    if (!target) return undefined;
    const [id] = target;
    return {
      kind: 'delete record',
      message: { method: 'DELETE', path: `/shelves/${id}` },
      change: {
        files: new Map(filesOf(`shelf ${id}`).map((fileId) => [fileId, undefined])),
        shelves: new Map([[id, undefined]]),
      },
    };
  },
};

/** What becomes of the file that the field held. */
function letGo(field: Field, { [field]: fileId }: ShelfState, stateOf: ClientView['stateOf']): Files {
  if (fileId === null) return [];
  const state = stateOf(fileId);
  return [[fileId, field === 'scanId' || !state ? undefined : { ...state, owner: 'nobody' }]];
}
