import type { IncomingHttpHeaders } from 'node:http';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { DIGESTS } from '../form/body-digest.js';

const MEMBER = /^([a-z*][a-z0-9_.*-]*)=(\d+)$/;

/**
 * `Repr-Digest` of the whole file, if the client asks for the algorithm of its hash by `Want-Repr-Digest`:
 * https://www.rfc-editor.org/rfc/rfc9530#section-4. A wish that cannot be read, or granted, is no fault.
 */
export function wantedDigest(
  headers: IncomingHttpHeaders,
  { hash, hashAlgorithm }: Pick<ManagedFile, 'hash' | 'hashAlgorithm'>,
): Record<string, string> {
  const wanted = String(headers['want-repr-digest'] ?? '').split(',');
  for (const member of wanted) {
    const [, name = '', weight = '0'] = MEMBER.exec(member.trim()) ?? [];
    // 0 is "not this one".
    if (Number(weight) === 0 || DIGESTS.get(name) !== hashAlgorithm) continue;
    return { 'Repr-Digest': `${name}=:${Buffer.from(hash, 'hex').toString('base64')}:` };
  }
  return {};
}
