import { create as contentDisposition } from 'content-disposition';

const ASCII = /^[\x20-\x7e]*$/;

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
