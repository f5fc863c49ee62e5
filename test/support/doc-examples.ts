import { readFile } from 'node:fs/promises';

const code = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim().replace(/[;,]$/, ''))
    .filter((line) => line !== '')
    .join('\n');

/** The TypeScript examples of a page below docs/ that are in none of the specs, line for line: nobody knows whether they work. */
export async function examplesNotRun(page: string, ...specs: string[]): Promise<string[]> {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const run = await Promise.all(specs.map(async (spec) => code(await readFile(new URL(spec), 'utf8'))));
  const examples = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example = '']) => example);
  if (examples.length === 0) throw new Error(`docs/${page} has no examples`);
  return examples.filter((example) => !run.some((spec) => spec.includes(code(example))));
}
