import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { pictureOf } from '../../../scripts/benchmark-picture.mjs';
import { blocksOf, docPages, readPage } from '../../support/doc-pages.js';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
const LANGUAGES = ['ts', 'sh', 'json', 'mermaid', 'nginx', 'text'];
const DIAGRAMS = /^(?:sequenceDiagram|stateDiagram-v2|flowchart (?:LR|TD))\n/;
const pages = docPages();

const specs = readdirSync(join(REPOSITORY, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.spec.ts'))
  .map((path) => readFileSync(join(REPOSITORY, 'test', path), 'utf8'));

/** Whether a spec calls the helper with the page: `examplesNotRun('access.md', …)`. */
function isCoveredBy(page: string, ...helpers: string[]): boolean {
  return specs.some((spec) => helpers.some((helper) => spec.includes(`${helper}('${page}'`)));
}

function pagesWith(language: string): string[] {
  return pages.filter((page) => blocksOf(page).some((block) => block.language === language));
}

/** What a heading is linked by, as GitHub makes it. */
function anchorsOf(page: string): string[] {
  const headings = readPage(page).matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('the code of the pages', () => {
  it('names a language that is known', () => {
    const unknown = pages.flatMap((page) =>
      blocksOf(page)
        .filter(({ language }) => !LANGUAGES.includes(language))
        .map(({ language, text }) => `${page}: ${language} ${text.split('\n')[0]}`),
    );
    expect(unknown).toEqual([]);
  });

  it('ends each block that it begins', () => {
    const fences = (page: string) => readPage(page).match(/^```/gm)?.length ?? 0;
    expect(pages.filter((page) => fences(page) !== 2 * blocksOf(page).length)).toEqual([]);
  });

  it('runs in a spec, token for token, where it is TypeScript', () => {
    expect(pagesWith('ts').filter((page) => !isCoveredBy(page, 'examplesNotRun', 'writePageFiles'))).toEqual([]);
  });

  it('runs in a spec where it is shell', () => {
    expect(pagesWith('sh').filter((page) => !isCoveredBy(page, 'shellBlocks'))).toEqual([]);
  });

  it('parses where it is JSON', () => {
    for (const page of pagesWith('json'))
      for (const { language, text } of blocksOf(page))
        if (language === 'json') expect(() => JSON.parse(text), `${page}\n${text}`).not.toThrow();
  });

  it('draws diagrams of a kind that GitHub knows', () => {
    for (const page of pagesWith('mermaid'))
      for (const { language, text } of blocksOf(page)) if (language === 'mermaid') expect(text, page).toMatch(DIAGRAMS);
  });
});

/** Pages for contributors, which no spec runs: those at the root, and the README of each room. */
function otherPages(): string[] {
  const below = ['lib', 'sample'].flatMap((folder) =>
    readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  );
  return [...readdirSync(REPOSITORY), ...below].filter((path) => path.endsWith('.md'));
}

it('wraps comments at the width of the code, which Prettier does not do', () => {
  const files = ['lib', 'sample', 'test', 'bench'].flatMap((folder) =>
    readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
      .map((path) => join(folder, path)),
  );
  const wide = files.flatMap((file) =>
    readFileSync(join(REPOSITORY, file), 'utf8')
      .split('\n')
      .filter((line) => line.length > 120 && /^\s*(?:\*|\/\*\*|\/\/) (?!oxlint-)/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(files.length).toBeGreaterThan(1_000);
  expect(wide).toEqual([]);
});

it('indexes each helper of tests in CONTRIBUTING', () => {
  const index = readFileSync(join(REPOSITORY, 'CONTRIBUTING.md'), 'utf8');
  const helpers = readdirSync(join(REPOSITORY, 'test/support'));
  expect(helpers.filter((name) => !index.includes(`](test/support/${name})`))).toEqual([]);
});

it('links from other pages lead to files that are there', () => {
  const dead = otherPages().flatMap((page) =>
    [...readFileSync(join(REPOSITORY, page), 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)/g)]
      .map(([, path = '']) => normalize(join(dirname(page), path)))
      .filter((target) => !existsSync(join(REPOSITORY, target)))
      .map((target) => `${page} -> ${target}`),
  );
  expect(otherPages()).toContain(join('lib', 'files', 'README.md'));
  expect(dead).toEqual([]);
});

describe('the links of the pages', () => {
  const links = pages.flatMap((page) =>
    [...readPage(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(([, path = '', anchor]) => {
      const target = path === '' ? page : normalize(join(dirname(page), path));
      return { page, target, anchor };
    }),
  );

  it('lead to files that are there', () => {
    const dead = links.filter(({ target }) => !existsSync(join(REPOSITORY, 'docs', target)));
    expect(dead.map(({ page, target }) => `${page} -> ${target}`)).toEqual([]);
  });

  it('lead to headings that are there', () => {
    const dead = links.filter(({ target, anchor }) => anchor !== undefined && !anchorsOf(target).includes(anchor));
    expect(dead.map(({ page, target, anchor }) => `${page} -> ${target}#${anchor}`)).toEqual([]);
  });

  it('lead to every page, from the index or the README', () => {
    const indexes = ['../README.md', 'README.md'];
    const listed = links.filter(({ page }) => indexes.includes(page)).map(({ target }) => target);
    expect(pages.filter((page) => !indexes.includes(page) && !listed.includes(page))).toEqual([]);
  });
});

it('draws the picture of the benchmarks from their table', () => {
  const picture = readFileSync(join(REPOSITORY, 'docs/pictures/latency.svg'), 'utf8');
  expect(picture).toBe(pictureOf(readPage('benchmarks.md')));
});
