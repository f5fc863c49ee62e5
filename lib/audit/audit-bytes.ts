import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { LocationNotFoundError } from '../errors/storage.errors.js';
import type { Storage } from '../storage/storage.js';
import { detach } from '../unit-of-work/scopes/ambient.js';
import type { AuditFinding } from './audit-finding.js';
import { advance } from './audit-scope.js';
import type { AuditScope } from './audit-scope.js';
import { filesById } from './file-pages.js';
import type { AuditedFile } from './file-pages.js';
import { inChunks } from '../unit-of-work/typeorm/send-sql.js';

// Reading may take long, so earlier findings are yielded first.
const READ_TOGETHER = 100;

/** Whether the bytes of the files are as their rows say. */
export async function* auditBytes(
  scope: AuditScope,
  files: readonly AuditedFile[],
): AsyncGenerator<AuditFinding[], void> {
  const together = scope.deep ? READ_TOGETHER : files.length;
  for (const chunk of inChunks(files, together)) {
    yield await auditTogether(scope, chunk);
    advance(scope, 'files', chunk.length);
  }
}

async function auditTogether(scope: AuditScope, files: readonly AuditedFile[]): Promise<AuditFinding[]> {
  const findings: AuditFinding[] = [];
  const left = files.values();
  const work = async (): Promise<void> => {
    for (const file of left) {
      scope.signal?.throwIfAborted();
      const finding = await detach(() => settledFinding(scope, file));
      if (finding) findings.push(finding);
    }
  };
  await allOf(Array.from({ length: Math.min(scope.concurrency, files.length) }, work));
  return findings;
}

/** As `Promise.all`, but nothing is running any more when it rejects. */
async function allOf(work: Promise<void>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}

/** A location never gets other bytes. So a problem of the bytes is real if the row still refers to them afterwards. */
async function settledFinding(scope: AuditScope, file: AuditedFile): Promise<AuditFinding | undefined> {
  for (let current = file; ;) {
    const finding = await findingOf(scope, current);
    if (!finding) return undefined;
    const [now] = await scope.reads.now((manager) => filesById(manager, [current.id]));
    if (!now) return undefined;
    if (refersToSame(now, current)) return finding;
    current = now;
  }
}

function refersToSame(one: AuditedFile, other: AuditedFile): boolean {
  return (['storage', 'location', 'size', 'hash', 'hashAlgorithm'] as const).every((key) => one[key] === other[key]);
}

async function findingOf(scope: AuditScope, file: AuditedFile): Promise<AuditFinding | undefined> {
  const { storage: name, location } = file;
  const bytes = { fileId: file.id, storage: name, location };
  const storage = scope.storages.find(name);
  if (!storage) return { kind: 'unchecked-bytes', ...bytes, reason: `no storage is named "${name}"` };
  try {
    const found = await look(scope, storage, file);
    if (found === 'unknown') return undefined;
    // The scan may have removed them.
    if (found === undefined && file.scan === 'infected') return undefined;
    if (found === undefined) return { kind: 'missing-bytes', ...bytes };
    if (found.size !== file.size) return { kind: 'wrong-size', ...bytes, expected: file.size, found: found.size };
    if (found.hash === undefined || found.hash === file.hash) return undefined;
    return { kind: 'wrong-hash', ...bytes, algorithm: file.hashAlgorithm, expected: file.hash, found: found.hash };
  } catch (error) {
    scope.signal?.throwIfAborted();
    return { kind: 'unchecked-bytes', ...bytes, reason: String(error) };
  }
}

interface Found {
  readonly size: number;
  readonly hash?: string;
}

/** Undefined if there are no bytes; `unknown` if the storage cannot tell. */
async function look(scope: AuditScope, storage: Storage, file: AuditedFile): Promise<Found | undefined | 'unknown'> {
  if (scope.deep && storage.can('read')) return read(storage, file, scope.signal);
  return storage.can('stat') ? storage.stat(file.location) : 'unknown';
}

async function read(storage: Storage, file: AuditedFile, signal?: AbortSignal): Promise<Found | undefined> {
  const hash = createHash(file.hashAlgorithm);
  let size = 0;
  const digest = async (chunks: AsyncIterable<Uint8Array | string>): Promise<void> => {
    for await (const chunk of chunks) {
      const bytes = Buffer.from(chunk as Uint8Array);
      size += bytes.length;
      hash.update(bytes);
    }
  };
  try {
    await pipeline(await storage.read(file.location), digest, signal ? { signal } : {});
  } catch (error) {
    if (error instanceof LocationNotFoundError) return undefined;
    throw error;
  }
  return { size, hash: hash.digest('hex') };
}
