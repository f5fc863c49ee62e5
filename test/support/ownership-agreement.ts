import type { DataSource } from 'typeorm';
import { expect } from 'vitest';
import { ManagedFile } from '../../lib/files/managed-file.entity.js';
import { FileTransfer } from '../../lib/ownership/file-transfer.entity.js';
import { FileUsage } from '../../lib/ownership/quotas/file-usage.entity.js';

/** A record of the application, and the files it names. */
export interface Reference {
  readonly ownerType: string;
  readonly ownerId: string;
  readonly fileIds: readonly string[];
}

/**
 * Holds three stories against each other: what the records say, what the files say, and what the history says. Files
 * that came without a first line of history were whoever's the next line says. `ownerTypes` are those of the records.
 */
export async function expectOwnership(
  dataSource: DataSource,
  ownerTypes: readonly string[],
  records: readonly Reference[],
): Promise<void> {
  const files = await dataSource.getRepository(ManagedFile).find();
  const lines = await dataSource.getRepository(FileTransfer).find({ order: { at: 'ASC', id: 'ASC' } });
  const usages = await dataSource.getRepository(FileUsage).find();
  const wrong = [
    ...disagreements(new Set(ownerTypes), records, files),
    ...unexplained(lines, files),
    ...usages.flatMap((usage) => miscounted(usage, files)),
  ];
  expect(wrong).toEqual([]);
}

function disagreements(
  types: ReadonlySet<string>,
  records: readonly Reference[],
  files: readonly ManagedFile[],
): string[] {
  const named = new Map<string, string>();
  const wrong: string[] = [];
  for (const { ownerType, ownerId, fileIds } of records) {
    for (const fileId of fileIds) {
      if (named.has(fileId)) wrong.push(`${fileId} is named by ${named.get(fileId)} and by ${ownerType} ${ownerId}`);
      named.set(fileId, `${ownerType} ${ownerId}`);
    }
  }
  const owners = new Set(records.map(({ ownerType, ownerId }) => `${ownerType} ${ownerId}`));
  const known = new Set(files.map(({ id }) => id));
  for (const [fileId, owner] of named)
    if (!known.has(fileId)) wrong.push(`${owner} names ${fileId}, which is not there`);
  for (const { id, ownerType, ownerId } of files) {
    const owner = ownerType === null ? 'nobody' : `${ownerType} ${ownerId}`;
    const name = named.get(id);
    if (name !== undefined && name !== owner) wrong.push(`${name} names ${id}, which is ${owner}'s`);
    if (ownerType !== null && types.has(ownerType) && !owners.has(owner))
      wrong.push(`${id} is ${owner}'s, who is gone`);
  }
  return wrong;
}

/** Replays the history of every file. */
function unexplained(lines: readonly FileTransfer[], files: readonly ManagedFile[]): string[] {
  const wrong: string[] = [];
  const told = new Map<string, FileTransfer>();
  for (const line of lines) {
    const last = told.get(line.fileId);
    if (last && last.at >= line.at) wrong.push(`${line.fileId}: two lines at ${line.at.toISOString()}`);
    if (last?.action === 'delete') wrong.push(`${line.fileId}: ${line.action} after its deletion`);
    if (last && (last.toType !== line.fromType || last.toId !== line.fromId)) {
      wrong.push(
        `${line.fileId}: ${line.action} from ${line.fromType} ${line.fromId}, was ${last.toType} ${last.toId}`,
      );
    }
    told.set(line.fileId, line);
  }
  const rows = new Map(files.map((file) => [file.id, file]));
  for (const [fileId, { action, toType, toId }] of told) {
    const file = rows.get(fileId);
    if (!file !== (action === 'delete')) wrong.push(`${fileId} is ${file ? '' : 'not '}there after ${action}`);
    if (file && (file.ownerType !== toType || file.ownerId !== toId)) {
      wrong.push(`${fileId} is ${file.ownerType} ${file.ownerId}'s, its history ends with ${toType} ${toId}`);
    }
  }
  return wrong;
}

function miscounted({ ownerType, ownerId, count, bytes }: FileUsage, files: readonly ManagedFile[]): string[] {
  const own = files.filter((file) => file.ownerType === ownerType && file.ownerId === ownerId);
  const size = own.reduce((sum, file) => sum + file.size, 0);
  const isRight = own.length === count && size === bytes;
  return isRight ? [] : [`${ownerType} ${ownerId} has ${own.length} files, counted ${count}`];
}
