import { Inject, Injectable } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { DEFAULT_STORAGE } from '../../files/file-writer.js';
import { FilesAddresses } from '../../files/files-addresses.js';
import { holdsList, ownerFields } from '../../staging/owner-fields.js';
import { allUploadFields, fieldsByName } from '../../staging/upload-fields.js';
import type { UploadField } from '../../staging/upload-rule.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { Transactor } from '../../unit-of-work/transactor.js';
import { ActionRoutes } from '../form/action-uploads.js';
import { describeAction } from './openapi.js';

/** Refuses to start if `@UploadAs()` could not keep its promise, and tells OpenAPI about the routes that take files. */
@Injectable()
export class ActionRoutesCheck implements OnModuleInit {
  constructor(
    private readonly routes: ActionRoutes,
    private readonly storages: StorageRegistry,
    private readonly transactor: Transactor,
    private readonly addresses: FilesAddresses,
    @Inject(DEFAULT_STORAGE) private readonly defaultStorage: string,
  ) {}

  onModuleInit(): void {
    for (const { handler, bodyTypes } of this.routes.all()) {
      const fields = bodyTypes.flatMap((type) => allUploadFields(type));
      for (const field of fields) this.#check(field, this.transactor.dataSource);
      for (const alike of fieldsByName(bodyTypes)) this.#checkSame(alike);
      describeAction(handler, fields);
    }
  }

  /** The record of a file is not known while its bytes arrive, but its storage must be. */
  #checkSame([first, ...others]: readonly UploadField[]): void {
    const storageOf = ({ rule }: UploadField): string => rule.storage ?? this.defaultStorage;
    const other = others.find((one) => first && storageOf(one) !== storageOf(first));
    if (!first || !other) return;
    const storages = `"${storageOf(first)}", or with ${other.place} to "${storageOf(other)}"`;
    const why = `a file for it would go to storage ${storages}. Give one storage, or the properties different names.`;
    throw new DecorationInvalidError('@UploadAs()', first.place, why);
  }

  #check({ place, rule, isList }: UploadField, dataSource: DataSource): void {
    const { storage: name = this.defaultStorage, attachAs, field, ownerType, isStated } = rule;
    const refuse = (why: string): never => {
      throw new DecorationInvalidError('@UploadAs()', place, why);
    };
    const storage = this.storages.find(name);
    if (!storage)
      return refuse(`no storage is named "${name}". Configured storages: ${this.storages.names.join(', ')}.`);
    if (!storage.can('write', 'remove')) refuse(`storage "${name}" does not both take and remove files.`);
    const hasAddress = storage.can('publicUrl') || this.addresses.contentOf('') !== undefined;
    if (attachAs === 'permanentLink' && !hasAddress)
      refuse(`storage "${name}" is not public, and the option http leaves out the route to the content of files.`);
    if (!isStated) return;
    const columns = ownerFields(dataSource, ownerType, field);
    if (columns.length === 0)
      refuse(
        `no class with @OwnsFiles('${ownerType}') has a column and property "${field}". Name one with the option field.`,
      );
    if (isList && !columns.some(holdsList))
      refuse(
        `it takes several files, but "${field}" holds one value. Make it a simple-array, a json or an array column.`,
      );
  }
}
