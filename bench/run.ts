// npm run bench [-- question …]: asks all questions, or these.

import { attach } from './attach.js';
import { bytes } from './bytes.js';
import { handler } from './handler.js';
import { queue } from './queue.js';
import { scan } from './scan.js';
import { uploadMemory } from './upload-memory.js';
import { describeMachine } from './support/machine.js';

const QUESTIONS: Record<string, () => Promise<void>> = {
  attach,
  handler,
  queue,
  bytes,
  scan,
  'upload-memory': uploadMemory,
};

const [, , ...named] = process.argv;
const unknown = named.find((name) => !Object.hasOwn(QUESTIONS, name));
if (unknown !== undefined)
  throw new Error(`There is no question "${unknown}". Questions: ${Object.keys(QUESTIONS).join(', ')}`);
console.log(describeMachine());
for (const [name, ask] of Object.entries(QUESTIONS)) if (named.length === 0 || named.includes(name)) await ask();
