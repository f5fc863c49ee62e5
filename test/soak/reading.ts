import type { ClientView } from './client-view.js';
import { bytesOf } from './content.js';
import type { SoakRequest } from './request.js';
import type { Answer } from './wire.js';

/** Requests that change nothing, and must tell what is there. */
export const READINGS: Readonly<Record<string, (client: ClientView) => SoakRequest | undefined>> = {
  search: ({ user, random, file }) => {
    const [id, state] = file() ?? [];
    const isOwn = state?.owner === `user ${user}`;
    const filters = isOwn
      ? { name: state.name }
      : { size: { $gt: random.between(0, 8192) }, contentType: 'text/plain' };
    const query = new URLSearchParams({ filters: JSON.stringify(filters), sort: 'size:desc,name', limit: '20' });
    const check = ({ body }: Answer): string | undefined => {
      const { results } = JSON.parse(body.toString()) as { results: { id: string; ownerId: string }[] };
      if (results.some(({ ownerId }) => ownerId !== user)) return `${user} finds files of others`;
      return isOwn && results[0]?.id !== id ? `${user} does not find ${id} by its name ${state.name}` : undefined;
    };
    return { kind: 'search', message: { method: 'GET', path: `/files?${query.toString()}` }, check };
  },

  download: (client) => download(client, false),

  range: (client) => download(client, true),
};

function download({ random, file }: ClientView, isPart: boolean): SoakRequest | undefined {
  const [id, state] = file() ?? [];
  if (!id || !state) return undefined;
  const { content, owner } = state;
  const first = isPart ? random.between(0, content.size - 1) : 0;
  const last = isPart ? random.between(first, content.size - 1) : content.size - 1;
  const expected = bytesOf(content).subarray(first, last + 1);
  return {
    kind: isPart ? 'range' : 'download',
    message: {
      method: 'GET',
      path: `/files/${id}/content`,
      ...(owner === 'nobody' && { user: 'admin' }),
      ...(isPart && { headers: { range: `bytes=${first}-${last}` } }),
    },
    check: ({ status, body }) => {
      if (isPart && status !== 206) return `a range of ${id} was answered ${status}`;
      return body.equals(expected) ? undefined : `other bytes of ${id} than those that it was given`;
    },
  };
}
