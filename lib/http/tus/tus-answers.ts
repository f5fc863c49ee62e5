import { HttpStatus, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { DEFAULT_STORAGE } from '../../files/file-writer.js';
import type { ResumableState } from '../../files/resumable/resumable-types.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { TUS_CHECKSUMS, TUS_VERSION } from './tus-headers.js';

const EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'termination',
  'expiration',
  'checksum',
  'concatenation',
];

/** The answers of tus: all that they say is in their headers. */
@Injectable()
export class TusAnswers {
  constructor(
    private readonly adapters: HttpAdapterHost,
    private readonly storages: StorageRegistry,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /** Sets the headers that also the answer to an error has. */
  begin(response: unknown): void {
    this.#set(response, { 'Tus-Resumable': TUS_VERSION, 'Tus-Version': TUS_VERSION, 'Cache-Control': 'no-store' });
  }

  capabilities(response: unknown): void {
    const { maxSize } = this.storages.get(this.defaultStorage);
    this.begin(response);
    this.#set(response, {
      'Tus-Extension': EXTENSIONS.join(','),
      'Tus-Checksum-Algorithm': TUS_CHECKSUMS.join(','),
      'Tus-Max-Size': maxSize,
    });
    this.reply(response, HttpStatus.NO_CONTENT);
  }

  created(response: unknown, state: ResumableState, location: string): void {
    this.#set(response, { Location: location, ...progressOf(state) });
    this.reply(response, HttpStatus.CREATED);
  }

  appended(response: unknown, state: ResumableState): void {
    this.#set(response, progressOf(state));
    this.reply(response, HttpStatus.NO_CONTENT);
  }

  /** `path` is that of the uploads, as the client sees it. */
  found(response: unknown, state: ResumableState, path: string): void {
    const { length, metadata } = state;
    this.#set(response, {
      ...progressOf(state),
      'Upload-Length': length,
      'Upload-Defer-Length': length === undefined ? 1 : undefined,
      'Upload-Metadata': metadata,
      'Upload-Concat': concatOf(state, path),
    });
    this.reply(response, HttpStatus.OK);
  }

  reply(response: unknown, status: HttpStatus): void {
    this.adapters.httpAdapter.reply(response, undefined, status);
  }

  #set(response: unknown, headers: Readonly<Record<string, string | number | undefined>>): void {
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.adapters.httpAdapter.setHeader(response, name, String(value));
    }
  }
}

function progressOf({ kind, offset, expiresAt, file }: ResumableState): Record<string, string | number | undefined> {
  return {
    // A final upload has no offset as long as it is being made.
    'Upload-Offset': kind === 'final' && !file ? undefined : offset,
    'Upload-Expires': expiresAt.toUTCString(),
    'File-Id': file?.id,
  };
}

function concatOf({ kind, parts }: ResumableState, path: string): string | undefined {
  if (kind === 'single') return undefined;
  return kind === 'partial' ? kind : `final;${parts.map((id) => `${path}/${id}`).join(' ')}`;
}
