/** The facts from which a location may be made. */
export interface LocationInput {
  /** A fresh time-ordered UUID, made for these bytes alone. */
  uuid: string;
  /** The file's name: given by the client, so at most its extension belongs into a location. */
  name: string;
  /** The content type of the bytes. */
  contentType: string;
  /** The time of the upload. */
  now: Date;
}

/**
 * Makes the location of new bytes. It must never give the same one twice: taken locations are refused, not overwritten.
 */
export type LocationTransformer = (input: LocationInput) => string;

/** `3f/0193…3f`: spreads the files evenly over 256 directories. The default. */
export const shardedLocation: LocationTransformer = ({ uuid }) => `${uuid.slice(-2)}/${uuid}`;

/** `0193…3f`: everything in one directory. */
export const uuidLocation: LocationTransformer = ({ uuid }) => uuid;

/** `3f/0193…3f.pdf`: with the extension of the file's name, if it has a plain one. */
export const extensionLocation: LocationTransformer = (input) => shardedLocation(input) + extensionOf(input.name);

/** `2026/11/23/0193…3f`: by the day (UTC) of the upload. */
export const dateLocation: LocationTransformer = ({ uuid, now }) =>
  `${now.toISOString().slice(0, 10).replaceAll('-', '/')}/${uuid}`;

function extensionOf(name: string): string {
  return /\.[a-z0-9]{1,16}$/i.exec(name)?.[0].toLowerCase() ?? '';
}
