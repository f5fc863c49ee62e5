import { Injectable, Logger } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { DataSource } from 'typeorm';
import type { EntityMetadata } from 'typeorm';
import { isAuthoritative } from '../unit-of-work/typeorm/query-builders.js';
import { Transactor } from '../unit-of-work/transactor.js';
import { ownershipOf } from './owns-files.decorator.js';

const SHOWN = 3;

/** Warns at boot where records are in another data source than their files, so that no transaction has both. */
@Injectable()
export class RecordsElsewhereCheck implements OnApplicationBootstrap {
  readonly #logger = new Logger('FilesModule');

  constructor(
    private readonly transactor: Transactor,
    private readonly discovery: DiscoveryService,
  ) {}

  onApplicationBootstrap(): void {
    const { dataSource: own } = this.transactor;
    const named = this.#dataSources();
    const hasRecords = own.entityMetadatas.some(({ target }) => !isAuthoritative(target));
    for (const [dataSource, name] of named) {
      if (dataSource === own) continue;
      const records = dataSource.entityMetadatas.filter((one) => isRecordWithFiles(one, own, hasRecords));
      if (records.length > 0)
        this.#warn(
          records.map((one) => one.name),
          name,
          named.get(own) ?? 'default',
        );
    }
  }

  #warn(records: readonly string[], there: string, here: string): void {
    const more = records.length > SHOWN ? ', …' : '';
    const names = `${records.slice(0, SHOWN).join(', ')}${more}`;
    this.#logger.warn(
      `${names} ${records.length === 1 ? 'is' : 'are'} saved in the data source "${there}", and files in "${here}". A unit of work is a ` +
        `transaction of "${here}" alone: a record stays saved though its handler fails, and its files are not its own. Put both in one data source.`,
    );
  }

  #dataSources(): Map<DataSource, string> {
    const named = new Map<DataSource, string>();
    for (const { token, instance } of this.discovery.getProviders()) {
      if (!(instance instanceof DataSource) || named.has(instance)) continue;
      named.set(instance, typeof token === 'string' ? token.replace(/DataSource$/, '') : 'default');
    }
    return named;
  }
}

/** The classes of owners; if the files' data source has only files, any class may be one. */
function isRecordWithFiles({ target }: EntityMetadata, own: DataSource, hasRecords: boolean): boolean {
  if (isAuthoritative(target)) return false;
  return hasRecords ? ownershipOf(target) !== undefined && !own.hasMetadata(target) : true;
}
