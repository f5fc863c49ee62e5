import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { Storage } from 'nestjs-files/storage';
import { fsStorage } from 'nestjs-files/storage/fs';

export interface PortalOptions {
  /** @default the SQLite file var/portal.sqlite */
  database?: TypeOrmModuleOptions;
  /** Where the bytes of files are. @default the folder var/files, with files of up to 20 MiB */
  storage?: Storage;
  /** How many bytes the files of a package and its resources may have together. @default 5 MiB */
  packageQuota?: number;
}

export const PACKAGE_QUOTA = Symbol('PACKAGE_QUOTA');

/** Where `npm start` listens: everybody knows the passwords of the accounts, so on this machine alone, unless `HOST` says otherwise. */
export function addressFrom({ PORT = '3000', HOST = '127.0.0.1' }: NodeJS.ProcessEnv): { port: number; host: string } {
  return { port: Number(PORT), host: HOST };
}

export function withDefaults(options: PortalOptions): Required<PortalOptions> {
  return {
    database: { type: 'better-sqlite3', database: 'var/portal.sqlite' },
    storage: fsStorage({ root: 'var/files', maxSize: '20MiB' }),
    packageQuota: 5 * 1024 * 1024,
    ...options,
  };
}
