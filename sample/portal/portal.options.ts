import { createRequire } from 'node:module';
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
  /** Whether pictures get thumbnails. @default whether sharp is installed, which makes them */
  thumbnails?: boolean;
}

const MAX_SIZE = '20MiB';

export const PACKAGE_QUOTA = Symbol('PACKAGE_QUOTA');

/**
 * Where `npm start` listens: everybody knows the passwords of the accounts, so on this machine alone, unless `HOST`
 * says otherwise.
 */
export function addressFrom({ PORT = '3000', HOST = '127.0.0.1' }: NodeJS.ProcessEnv): { port: number; host: string } {
  return { port: Number(PORT), host: HOST };
}

/** The settings of the environment: a database server and a bucket, in place of the SQLite file and the folder. */
export async function optionsFrom(env: NodeJS.ProcessEnv): Promise<PortalOptions> {
  const { DATABASE_URL, S3_BUCKET, S3_ENDPOINT, AWS_REGION } = env;
  return {
    ...(DATABASE_URL ? { database: databaseAt(DATABASE_URL) } : {}),
    ...(S3_BUCKET ? { storage: await bucket(S3_BUCKET, S3_ENDPOINT, AWS_REGION) } : {}),
  };
}

function databaseAt(url: string): TypeOrmModuleOptions {
  const { protocol } = new URL(url);
  const type = DATABASES[protocol];
  if (!type)
    throw new Error(
      `DATABASE_URL begins with ${protocol}//; the portal knows ${Object.keys(DATABASES).join('//, ')}//`,
    );
  return { type, url };
}

const DATABASES: Readonly<Record<string, 'postgres' | 'mariadb'>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mariadb:': 'mariadb',
};

async function bucket(name: string, endpoint: string | undefined, region = 'us-east-1'): Promise<Storage> {
  // Loaded where it is needed, with the SDK.
  const { s3Storage } = await import('nestjs-files/storage/s3');
  const client = { region, ...(endpoint ? { endpoint, forcePathStyle: true } : {}) };
  return s3Storage({ bucket: name, client, maxSize: MAX_SIZE, downloads: 'redirect' });
}

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

export function withDefaults(options: PortalOptions): Required<PortalOptions> {
  return {
    database: { type: 'better-sqlite3', database: 'var/portal.sqlite' },
    storage: fsStorage({ root: 'var/files', maxSize: MAX_SIZE }),
    packageQuota: 5 * 1024 * 1024,
    thumbnails: isInstalled('sharp'),
    ...options,
  };
}
