import { readFile } from 'node:fs/promises';

const code = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim().replace(/[;,]$/, ''))
    .filter((line) => line !== '')
    .join('\n');

/** The TypeScript examples of a page below docs/ that are not in the spec, line for line: nobody knows whether they work. */
export async function examplesNotRun(page: string, spec: string): Promise<string[]> {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const run = code(await readFile(new URL(spec), 'utf8'));
  const examples = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example = '']) => example);
  if (examples.length === 0) throw new Error(`docs/${page} has no examples`);
  return examples.filter((example) => !run.includes(code(example)));
}
