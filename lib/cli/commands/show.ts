import type { INestApplicationContext } from '@nestjs/common';
import { FilesAccess } from '../../access/files-access.js';
import type { FileOperation } from '../../access/operations.js';
import { FilesService } from '../../files/files.service.js';
import type { ManagedFile } from '../../files/managed-file.entity.js';
import { toPublicFile } from '../../files/public-file.js';
import { guardedOwners } from '../../ownership/guard/guarded-entities.js';
import { rowsOfOwners } from '../../ownership/guard/record-rows.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import type { Command } from '../command.js';
import { columns, jsonOf, sizeText } from '../output.js';
import { ownerIn } from '../values.js';
import { ownerText } from './ls.js';

const OPERATIONS: readonly FileOperation[] = ['read', 'stream', 'update', 'delete', 'transfer', 'pin'];

export const show: Command = {
  name: 'show',
  args: 'ID',
  takes: 1,
  summary: 'Tells all about one file: where it is, who owns it, which records name it, and its history',
  example: 'nestjs-files show 0190c8a0-7d2b-7c3f-9a51-3f2f6f0f3a55 --as user:42',
  options: {
    as: { kind: 'text', value: 'TYPE:ID', help: 'also tell what this actor may do with it, and which rule says so' },
  },
  async run({ app, args: [id = ''], options, out }) {
    const actor = ownerIn(options, 'as');
    const files = app.get(FilesService, { strict: false });
    const file = await files.findOrFail(id);
    const history = await files.history(file.id);
    const namedBy = await recordsNaming(app, file);
    const access = actor ? await decisions(app, actor, file) : undefined;
    const told = {
      ...toPublicFile(file),
      metadata: file.metadata,
      location: file.location,
      ...(file.scan && { scanner: file.scanner, finding: file.finding }),
      namedBy,
      history,
      ...(access && { access }),
    };
    await out.result(told, [...lines(file), ...named(namedBy), ...changes(history), ...rules(access)].join('\n'));
    return 0;
  },
};

interface Naming {
  readonly entity: string;
  readonly key: object;
  readonly field: string;
}

/** Finds the fields with `@FileField()` that contain the file's id, in the rows of the file's owner. */
async function recordsNaming(app: INestApplicationContext, { id, ownerType, ownerId }: ManagedFile): Promise<Naming[]> {
  if (ownerType === null || ownerId === null) return [];
  const transactor = app.get(Transactor, { strict: false });
  const found: Naming[] = [];
  for (const entity of guardedOwners(transactor.dataSource, ownerType)) {
    for (const row of await transactor.read((manager) => rowsOfOwners(manager, entity, [ownerId]))) {
      for (const [field, { ids }] of row.values)
        if (ids.includes(id)) found.push({ entity: row.entity.metadata.name, key: row.key, field: field.name });
    }
  }
  return found;
}

type Decisions = Record<string, Awaited<ReturnType<FilesAccess['explain']>>>;

async function decisions(
  app: INestApplicationContext,
  actor: { type: string; id: string },
  file: ManagedFile,
): Promise<Decisions> {
  const access = app.get(FilesAccess, { strict: false });
  const found: Decisions = {};
  for (const operation of OPERATIONS) found[operation] = await access.explain(actor, operation, file);
  return found;
}

function lines(file: ManagedFile): string[] {
  return columns([
    ['id', file.id],
    ['name', file.name],
    ['type', file.charset === null ? file.contentType : `${file.contentType}; charset=${file.charset}`],
    ['size', `${file.size} bytes (${sizeText(file.size)})`],
    ['hash', `${file.hashAlgorithm}:${file.hash}`],
    ['stored', `${file.storage}, ${file.location}`],
    ['created', file.createdAt.toISOString()],
    ...(file.scan ? [['scan', [file.scan, file.finding].filter(Boolean).join(', ')]] : []),
    ['owner', `${ownerText(file)}${file.pinned ? ', pinned' : ''}`],
  ]);
}

function named(namedBy: readonly Naming[]): string[] {
  return namedBy.map(({ entity, key, field }) => `named by ${entity} ${jsonOf(key)}, ${field}`);
}

function changes(history: Awaited<ReturnType<FilesService['history']>>): string[] {
  return history.map(({ at, action, fromType, fromId, toType, toId, actorType, actorId }) => {
    const from = ownerText({ ownerType: fromType, ownerId: fromId });
    const to = ownerText({ ownerType: toType, ownerId: toId });
    return `${at.toISOString()}  ${action}  ${from} to ${to}, by ${ownerText({ ownerType: actorType, ownerId: actorId })}`;
  });
}

function rules(access: Decisions | undefined): string[] {
  return Object.entries(access ?? {}).map(([operation, { allowed, rule }]) => {
    return `may ${allowed ? '' : 'not '}${operation} (${rule})`;
  });
}
