import { create as contentDisposition } from 'content-disposition';

/**
 * The types that a browser may show inline. None of them can carry a script: no SVG, HTML or XML. PDF is missing
 * because browsers refuse to show it under the sandboxing policy.
 */
const INLINE = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'text/plain']);

const ASCII = /^[\x20-\x7e]*$/;

/** How the application sends content of this type, with `nosniff` and a sandboxing policy. */
export function dispositionOf(contentType: string): 'inline' | 'attachment' {
  return INLINE.has(contentType) ? 'inline' : 'attachment';
}

/** How a storage sends content of this type, without `nosniff`: an image is never read as another type. */
export function dispositionAlone(contentType: string): 'inline' | 'attachment' {
  return contentType.startsWith('image/') ? dispositionOf(contentType) : 'attachment';
}

/**
 * The header that names a file in every script, and for programs that know only ASCII by the nearest form there is:
 * `Ubersicht.pdf`.
 */
export function dispositionFor(name: string, type: 'inline' | 'attachment'): string {
  return contentDisposition(name, ASCII.test(name) ? { type } : { type, fallback: asciiForm(name) });
}

function asciiForm(name: string): string {
  const letters = name.normalize('NFKD').replaceAll(/\p{M}/gu, '');
  return letters.replaceAll(/[^\x20-\x7e]/gu, '_').replaceAll('%', '_');
}
