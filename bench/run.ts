// npm run bench [-- question …]: asks all questions, or these. `bytes` is both `bytes-uploads` and `bytes-downloads`.

import { attach } from './attach.js';
import { audit } from './audit.js';
import { downloads, uploads } from './bytes.js';
import { guards } from './guards.js';
import { handler } from './handler.js';
import { queue } from './queue.js';
import { scan } from './scan.js';
import { uploadMemory } from './upload-memory.js';
import { describeMachine } from './support/machine.js';

const QUESTIONS: Record<string, () => Promise<void>> = {
  attach,
  guards,
  handler,
  queue,
  'bytes-uploads': uploads,
  'bytes-downloads': downloads,
  scan,
  audit,
  'upload-memory': uploadMemory,
};

const [, , ...named] = process.argv;
const isMeant = (question: string, name: string): boolean => question === name || question.startsWith(`${name}-`);
const unknown = named.find((name) => !Object.keys(QUESTIONS).some((question) => isMeant(question, name)));
if (unknown !== undefined)
  throw new Error(`There is no question "${unknown}". Questions: ${Object.keys(QUESTIONS).join(', ')}`);
console.log(describeMachine());
for (const [question, ask] of Object.entries(QUESTIONS)) {
  if (named.length === 0 || named.some((name) => isMeant(question, name))) await ask();
}
