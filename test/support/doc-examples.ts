import { readFile } from 'node:fs/promises';
import { blocksOf } from './doc-pages.js';

const IMPORT = /^import (?:type )?\{([^}]*)\} from '([^']+)';?$/gm;

// Pages and specs break lines differently, and a statement of the one is an argument in the other.
const code = (text: string): string => text.replace(IMPORT, '').replace(/[\s,;]+/g, '');

/** What a text imports, and from where: `TaskQueue from nestjs-files`. */
const imports = (text: string): string[] =>
  [...text.matchAll(IMPORT)].flatMap(([, names = '', from]) =>
    names
      .split(',')
      .map((name) => name.replace('type ', '').trim())
      .filter((name) => name !== '')
      .map((name) => `${name} from ${from}`),
  );

/**
 * The TypeScript examples of a page, as `docs/` sees it, that are not in the specs, token for token: nobody knows
 * whether they work. What an example imports the specs have to import from the same place.
 */
export async function examplesNotRun(page: string, ...specs: string[]): Promise<string[]> {
  const texts = await Promise.all(specs.map((spec) => readFile(new URL(spec), 'utf8')));
  const text = texts.join('\n');
  const [run, imported] = [code(text), imports(text)];
  const examples = blocksOf(page).flatMap((block) => (block.language === 'ts' ? [block.text] : []));
  if (examples.length === 0) throw new Error(`docs/${page} has no examples`);
  return examples.filter(
    (example) => !run.includes(code(example)) || imports(example).some((name) => !imported.includes(name)),
  );
}
