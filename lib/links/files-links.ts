import { Inject, Injectable, Optional } from '@nestjs/common';
import {
  AuthenticationRequiredError,
  LinkExpiredError,
  LinkNotFoundError,
  LinkUsedError,
} from '../errors/access.errors.js';
import { FileNotFoundError } from '../errors/files.errors.js';
import { OptionInvalidError } from '../errors/setup.errors.js';
import type { Actor } from '../actor/actor.js';
import { FILES_CLOCK } from '../files/clock.js';
import type { Clock } from '../files/clock.js';
import { FilesAddresses } from '../files/files-addresses.js';
import { FilesService } from '../files/files.service.js';
import { assertReadable } from '../files/scan/scan-state.js';
import type { ManagedFile } from '../files/managed-file.entity.js';
import { dispositionAlone } from '../storage/disposition.js';
import { StorageRegistry } from '../storage/storage-registry.js';
import { readLinkOptions } from './link-options.js';
import type { CheckedLinkOptions, LinkOptions } from './link-options.js';
import { isBoundLink, signLink, verifyLink } from './link-token.js';
import type { LinkPurpose } from './link-token.js';
import { LINKS_OPTIONS } from './links-options.js';
import type { LinksOptions } from './links-options.js';
import { OneTimeLinks } from './one-time-links.js';

/** A link that works only for a limited time. */
export interface TemporaryLink {
  /**
   * The address for clients. If the storage made the link, it is a full URL. Otherwise it is a path, unless `links.url`
   * has an origin. `undefined` if the library made the link, `http` is `false` and `links.url` is not set.
   */
  url: string | undefined;
  /** The token for `open()`; `undefined` if the storage made the link. */
  token: string | undefined;
  /** The end of the link. */
  expiresAt: Date;
}

/** The file that a link leads to, and how it is shown. */
export interface OpenedLink {
  /** The current file. */
  file: ManagedFile;
  /** Whether to save or to show it. */
  purpose: LinkPurpose;
}

/** An unused link, and the file that it leads to. */
export interface FoundLink extends OpenedLink {
  /** The file as it is by now; throws `LinkNotFoundError` where it is gone. */
  look(): Promise<ManagedFile>;
  /** Uses a one-time link up; throws `LinkUsedError` if another call was faster. Links of other kinds stay. */
  take(): Promise<void>;
  /** Undoes `take()`, if the file was not sent after all. */
  giveBack(): Promise<void>;
}

/**
 * Links that open a file without access checks. The code that makes one decides who gets it.
 * @example const { url } = await links.temporary(file.id, { expiresIn: 600, purpose: 'inline' })
 */
@Injectable()
export class FilesLinks {
  /** @internal */
  constructor(
    private readonly files: FilesService,
    private readonly storages: StorageRegistry,
    private readonly rows: OneTimeLinks,
    private readonly addresses: FilesAddresses,
    @Inject(LINKS_OPTIONS) private readonly options: Readonly<LinksOptions> | undefined,
    @Optional() @Inject(FILES_CLOCK) private readonly now: Clock = Date.now,
  ) {}

  /**
   * A link that can be used until it expires. Nothing is stored for it, so a single link cannot be revoked.
   * - If the storage can sign URLs and the link is not for one actor, the storage makes the link. Then throws
   *   `FilePendingError`, `FileInfectedError` or `FileUnscannedError` for content that its scanner has not found clean.
   * - Otherwise the library signs the link. It ends early if its secret is removed or the file is deleted.
   */
  async temporary(fileId: string, options: LinkOptions = {}): Promise<TemporaryLink> {
    const checked = readLinkOptions(options);
    const file = await this.files.findOrFail(fileId);
    const expiresAt = this.#expiry(checked);
    const storage = this.storages.of(file);
    if (checked.actor === null && storage.can('temporaryUrl')) {
      // The storage does not check the scan state when the link is used.
      assertReadable(file);
      const { name, contentType, location } = file;
      const disposition = checked.purpose === 'inline' ? dispositionAlone(contentType) : 'attachment';
      const url = await storage.temporaryUrl(location, { expiresAt, disposition, name, contentType });
      return { url, token: undefined, expiresAt };
    }
    return this.#sign(file, checked, expiresAt, undefined);
  }

  /**
   * A link for one use: the first GET that is answered with content uses it up; a HEAD, a 304 and a storage that fails
   * do not. The database records the use. So if several requests use the link at the same time, only one succeeds.
   */
  async oneTime(fileId: string, options: LinkOptions = {}): Promise<TemporaryLink> {
    const checked = readLinkOptions(options);
    this.#secrets();
    const file = await this.files.findOrFail(fileId);
    const expiresAt = this.#expiry(checked);
    return this.#sign(file, checked, expiresAt, await this.rows.add(file.id, expiresAt));
  }

  /** The address of the bytes in a public storage; throws `CapabilityMissingError` for others. */
  async permanent(fileId: string): Promise<string> {
    const file = await this.files.findOrFail(fileId);
    assertReadable(file);
    return this.storages.of(file).publicUrl(file.location);
  }

  /**
   * The file that a token leads to; a one-time link is used up by it. Throws `LinkExpiredError`, `LinkUsedError`, and
   * `LinkNotFoundError` for any text that is not a link for this actor.
   */
  async open(token: string, actor: Actor | null = null): Promise<OpenedLink> {
    const { file, purpose, take } = await this.find(token, actor);
    await take();
    return { file, purpose };
  }

  /** As `open()`, without using the link, for callers who must check first whether they can send the file. */
  async find(token: string, actor: Actor | null = null): Promise<FoundLink> {
    if (this.options === undefined || typeof token !== 'string') throw new LinkNotFoundError();
    const payload = verifyLink(token, actor, this.options.secrets);
    if (payload === undefined) {
      // Reveals nothing about the token: anyone can make one that looks like this.
      if (actor === null && isBoundLink(token)) throw new AuthenticationRequiredError('use', 'this link');
      throw new LinkNotFoundError();
    }
    const { fileId, purpose, expiresAt, linkId } = payload;
    if (expiresAt.getTime() <= this.now()) throw new LinkExpiredError();
    if (linkId !== undefined && !(await this.rows.has(linkId))) throw new LinkUsedError();
    const look = () => this.#fileOf(fileId);
    const file = await look();
    if (linkId === undefined) return { file, purpose, look, take: doNothing, giveBack: doNothing };
    return {
      file,
      purpose,
      look,
      take: () => this.rows.take(linkId),
      giveBack: () => this.rows.giveBack({ id: linkId, fileId, expiresAt }),
    };
  }

  #sign(
    file: ManagedFile,
    { purpose, actor }: CheckedLinkOptions,
    expiresAt: Date,
    linkId: string | undefined,
  ): TemporaryLink {
    const token = signLink({ fileId: file.id, purpose, expiresAt, linkId }, actor, this.#secrets());
    return { url: this.#urlOf(token), token, expiresAt };
  }

  #secrets(): string {
    const [first] = this.options?.secrets ?? [];
    if (first !== undefined) return first;
    throw new OptionInvalidError(
      'links',
      'it is not set, and links have to be signed: { secrets: [process.env.LINKS_SECRET] }',
    );
  }

  #expiry({ expiresIn }: CheckedLinkOptions): Date {
    return new Date(this.now() + Math.ceil(expiresIn * 1000));
  }

  #urlOf(token: string): string | undefined {
    return this.options?.url === undefined ? this.addresses.linkOf(token) : `${this.options.url}/${token}`;
  }

  async #fileOf(id: string): Promise<ManagedFile> {
    try {
      return await this.files.findOrFail(id);
    } catch (error) {
      throw error instanceof FileNotFoundError ? new LinkNotFoundError() : error;
    }
  }
}

async function doNothing(): Promise<void> {}
