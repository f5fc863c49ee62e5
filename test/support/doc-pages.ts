import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced block of a page. */
export interface Block {
  language: string;
  text: string;
  /** What the line before it names, alone and in backticks: `src/main.ts`. */
  file: string | undefined;
}

/** README.md and all pages below docs/, by their paths as `docs/` sees them: `../README.md`, `recipes/by-hand.md`. */
export function docPages(): string[] {
  const below = readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' });
  return ['../README.md', ...below.filter((path) => path.endsWith('.md') && !path.startsWith('api/')).sort()];
}

export function readPage(page: string): string {
  return readFileSync(join(repository, 'docs', page), 'utf8');
}

/** The fenced blocks of a page, in their order. */
export function blocksOf(page: string): Block[] {
  const fences = readPage(page).matchAll(/(?:^`([^`\n]+)`\n+)?^```([^\n]*)\n(.*?)^```$/gms);
  return [...fences].map(([, file, language = '', text = '']) => ({ language, text, file }));
}

/** The shell blocks of a page, for a spec that knows how many there are: a new one must not go unnoticed. */
export function shellBlocks(page: string, count = 1): string[] {
  const blocks = blocksOf(page).flatMap(({ language, text }) => (language === 'sh' ? [text] : []));
  if (blocks.length === count) return blocks;
  throw new Error(`docs/${page} has ${blocks.length} shell blocks, and its spec runs ${count}`);
}

/** Writes the files that a page tells its readers to make, and gives their paths. */
export function writePageFiles(page: string, directory: string): string[] {
  return blocksOf(page).flatMap(({ file, text }) => {
    if (file === undefined) return [];
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
    return [file];
  });
}
