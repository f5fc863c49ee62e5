import type { Bytes } from '../../storage/reads-together.js';
import type { Storage } from '../../storage/storage.js';
import { examine } from './examine.js';
import type { Digest, Examined } from './examine.js';
import type { Room } from './room.js';
import { uuidV7 } from '../file-id.js';

export interface UploadHints {
  name: string;
  /** The content type that the client declares. */
  contentType?: string;
  /** Whether `contentType` was found from the content before: then the name does not count. @default false */
  isExamined?: boolean;
  /** Whether the storage takes it whatever its type is. @default false */
  isAccepted?: boolean;
  /** Further algorithms to hash with. */
  algorithms?: readonly string[];
  /** Where the bytes are to be. @default what the storage makes of the other hints */
  location?: string | undefined;
  /** The limits of the content. */
  room?: Room | undefined;
}

/** The facts about an upload. */
export interface StoredContent extends Digest {
  location: string;
  contentType: string;
  /** The charset of a text; null for all other content. */
  charset: string | null;
}

/** Writes examined content to its location. */
export type Writing = (location: string, examined: Examined) => Promise<void>;

/**
 * Stores the content in one pass: counted against the storage's limit, hashed, its type found and checked, written.
 * Memory does not depend on its size. When it fails nothing stays in the storage; the content is destroyed then.
 */
export async function storeContent(
  content: Bytes,
  storage: Storage,
  hints: UploadHints,
  write: Writing = (location, { body }) => storage.write(location, body),
): Promise<StoredContent> {
  try {
    const { name, contentType: declared, isExamined = false, isAccepted = false, algorithms, room } = hints;
    const said = { declared, ...(!isExamined && { name }) };
    const examined = await examine(content, storage, { ...said, isAccepted, algorithms, room });
    const { contentType, charset } = examined;
    const location = hints.location ?? storage.locationFor({ uuid: uuidV7(), name, contentType, now: new Date() });
    await write(location, examined);
    return { location, contentType, charset, ...examined.digest() };
  } finally {
    if ('destroy' in content) content.destroy();
  }
}
