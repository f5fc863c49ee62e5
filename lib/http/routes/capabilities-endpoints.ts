import { Get, Header, Inject, Injectable } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { FilesAccess } from '../../access/files-access.js';
import { ActorSource } from '../../actor/actor.js';
import { DEFAULT_STORAGE } from '../../files/file-writer.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { CallContext } from './call-context.decorator.js';

/** What the actor may do with a storage. */
interface StorageCapabilities {
  readonly name: string;
  /** Bytes; null for no limit. */
  readonly maxSize: number | null;
  /** Null for every type. */
  readonly acceptedTypes: readonly string[] | null;
  /** Whether clients may send bytes to it themselves. */
  readonly direct: boolean;
  /** Whether it takes uploads by tus. */
  readonly resumable: boolean;
}

interface Capabilities {
  readonly storages: readonly StorageCapabilities[];
  readonly defaultStorage: string;
  /** Relative to the path of the files; null without the routes of tus. */
  readonly tus: string | null;
}

/** Tells clients which uploads would be accepted. The controller made from it sets the path. */
// Decorated so that the compiler tells Nest what it needs.
@Injectable()
export abstract class CapabilitiesEndpoints {
  /** Whether the routes of direct uploads are there. */
  protected abstract readonly hasDirectUploads: boolean;
  /** The path of tus below that of the files; null without its routes. */
  protected abstract readonly tus: string | null;

  constructor(
    private readonly storages: StorageRegistry,
    private readonly access: FilesAccess,
    private readonly actors: ActorSource,
    private readonly adapters: HttpAdapterHost,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  /**
   * The storages that the actor may upload to. Nothing is read from the database, unless the application's functions
   * do.
   */
  @Get()
  @Header('cache-control', 'private, max-age=60')
  async read(@CallContext() context: ExecutionContext): Promise<Capabilities> {
    this.#vary(context);
    const actor = await this.actors.of(context);
    const storages: StorageCapabilities[] = [];
    for (const name of this.storages.names) {
      const storage = this.storages.get(name);
      if (!storage.can('write') || !(await this.access.canUpload(actor, name))) continue;
      const { maxSize = null, acceptedTypes = null } = storage;
      const direct = this.hasDirectUploads && storage.can('directUploads', 'stat', 'read', 'remove');
      const resumable = this.tus !== null && storage.can('resumableUploads', 'stat', 'read', 'remove');
      storages.push({ name, maxSize, acceptedTypes, direct, resumable });
    }
    return { storages, defaultStorage: this.defaultStorage, tus: this.tus };
  }

  /** Adds the headers that tell who acts to those that the application names, such as CORS the origin. */
  #vary(context: ExecutionContext): void {
    const { httpAdapter } = this.adapters;
    const response: unknown = context.switchToHttp().getResponse();
    const stated = httpAdapter.getHeader(response, 'Vary') as string | string[] | undefined;
    httpAdapter.setHeader(response, 'Vary', [stated ?? [], 'authorization, cookie'].flat().join(', '));
  }
}

/** The path of this route below that of the files. */
export function capabilitiesPath(filesPath: string): string {
  return `${filesPath.replace(/\/+$/, '')}/capabilities`;
}
