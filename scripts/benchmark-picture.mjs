// Draws docs/pictures/latency.svg from the table in docs/benchmarks.md, so that picture and figures agree.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const HEADING = '## What does a user wait for?';
const OURS = 'nestjs-files';
const WIDTH = 720;
const LABELS = 190;
const LINE = 24;
const STYLE = `text{font:14px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.bar{fill:#b6bec7}.ours{fill:#0f766e}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#57606a}.ours{fill:#2dd4bf}}`;

/**
 * The questions of the table, each with its contestants and their milliseconds.
 * @param {string} page
 * @returns {{ question: string, contestants: { contestant: string, milliseconds: number }[] }[]}
 */
function questionsIn(page) {
  const section = page.slice(page.indexOf(HEADING)).split('\n## ')[0];
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  /** @type {ReturnType<typeof questionsIn>} */
  const questions = [];
  for (const row of rows.slice(2)) {
    const [, question, contestant, milliseconds] = row.split('|').map((cell) => cell.trim());
    if (question !== '') questions.push({ question, contestants: [] });
    questions.at(-1).contestants.push({ contestant, milliseconds: Number(milliseconds) });
  }
  return questions;
}

/** @param {string} page */
export function pictureOf(page) {
  const questions = questionsIn(page);
  const all = questions.flatMap(({ contestants }) => contestants);
  const scale = (WIDTH - LABELS - 80) / Math.max(...all.map(({ milliseconds }) => milliseconds));
  /** @type {string[]} */
  const drawn = [];
  let y = 0;
  /** @type {(x: number, content: string, kind?: string) => unknown} */
  const text = (x, content, kind = '') => drawn.push(`<text x="${x}" y="${y + 17}"${kind}>${content}</text>`);
  for (const { question, contestants } of questions) {
    y += 8;
    text(0, question, ' class="title"');
    y += LINE;
    for (const { contestant, milliseconds } of contestants) {
      const width = Math.round(milliseconds * scale);
      text(0, contestant);
      drawn.push(
        `<rect class="bar${contestant === OURS ? ' ours' : ''}" x="${LABELS}" y="${y + 4}" width="${width}" height="16"/>`,
      );
      text(LABELS + width + 6, `${milliseconds} ms`);
      y += LINE;
    }
  }
  const title = 'Milliseconds that a request takes where the database is 2 ms away';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 8}" role="img" aria-label="${title}"><style>${STYLE}</style>
${drawn.join('\n')}
</svg>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir('docs/pictures', { recursive: true });
  await writeFile('docs/pictures/latency.svg', pictureOf(await readFile('docs/benchmarks.md', 'utf8')));
}
