import type {
  BlobGenerateSasUrlOptions,
  BlobSASPermissions,
  BlobServiceClient,
  BlockBlobClient,
  UserDelegationKey,
} from '@azure/storage-blob';
import { LinkOptionInvalidError } from '../../errors/setup.errors.js';
import type { ReadOptions } from './azure-options.js';

/** What an address is good for: one kind of request, until it expires. */
export interface ToSign extends Omit<BlobGenerateSasUrlOptions, 'permissions' | 'expiresOn'> {
  /** The letters that Azure has for what is allowed. */
  allowed: 'r' | 'w';
  expiresAt: Date;
}

/** Signs an address of a blob: a SAS. */
export type BlobSigner = (blob: BlockBlobClient, request: ToSign) => Promise<string>;

// Milliseconds.
const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/**
 * How the client can sign: with its shared key, or with one that its account delegates to its token; `undefined` where
 * it has neither.
 */
export function signerOf({ container, service }: Pick<ReadOptions, 'container' | 'service'>): BlobSigner | undefined {
  if ('computeHMACSHA256' in container.credential) return (blob, request) => blob.generateSasUrl(sasOf(request));
  return service && delegatedBy(service);
}

function delegatedBy(service: BlobServiceClient): BlobSigner {
  let key: UserDelegationKey | undefined;
  return async (blob, request) => {
    const { expiresAt } = request;
    if (key === undefined || key.signedExpiresOn < expiresAt) {
      const from = Date.now() - 15 * MINUTE; // for clocks that are late
      const until = Math.max(expiresAt.getTime(), Date.now() + DAY);
      if (until > from + 7 * DAY)
        throw new LinkOptionInvalidError(
          'expiresAt',
          expiresAt,
          'in less than 7 days: user delegation keys last no longer',
        );
      key = await service.getUserDelegationKey(new Date(from), new Date(until));
    }
    return blob.generateUserDelegationSasUrl(sasOf(request), key);
  };
}

function sasOf({ allowed, expiresAt, ...headers }: ToSign): BlobGenerateSasUrlOptions {
  // The SDK asks for its letters; its own class would have to be imported.
  const permissions = { toString: () => allowed } as BlobSASPermissions;
  return { ...headers, permissions, expiresOn: expiresAt };
}
