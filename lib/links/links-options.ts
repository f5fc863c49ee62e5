import { OptionInvalidError } from '../errors/setup.errors.js';

/** The options of signed links. */
export interface LinksOptions {
  /**
   * The first one signs, all of them verify: put a new one in front, and take the old one out when its links have
   * expired. Each is 32 bytes or longer, like what `openssl rand -base64 32` prints.
   */
  secrets: string[];
  /**
   * The prefix of a link's token, as clients see it: `https://example.org/api/files/links`. @default the route's path
   */
  url?: string;
}

/** The application's `links` option, read by `readLinksOptions`; `undefined` without one. */
export const LINKS_OPTIONS = Symbol('LINKS_OPTIONS');

const MIN_SECRET_BYTES = 32;

/** Throws `OptionInvalidError` for options with which links could be forged. */
export function readLinksOptions(options: LinksOptions | undefined): Readonly<LinksOptions> | undefined {
  if (options === undefined) return undefined;
  const { secrets, url } = options ?? {};
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionInvalidError('links.secrets', 'it must be a list of secrets; the first one signs');
  }
  for (const [index, secret] of secrets.entries()) {
    if (typeof secret === 'string' && Buffer.byteLength(secret) >= MIN_SECRET_BYTES) continue;
    const reason = `it must be a text of ${MIN_SECRET_BYTES} bytes or more, like what "openssl rand -base64 32" prints`;
    throw new OptionInvalidError(`links.secrets[${index}]`, reason);
  }
  if (url !== undefined && (typeof url !== 'string' || url === '')) {
    throw new OptionInvalidError(
      'links.url',
      'it must be what stands before the token, like https://example.org/files/links',
    );
  }
  return { secrets: [...secrets], ...(url === undefined ? {} : { url: url.replace(/\/+$/, '') }) };
}
