// npm run bench [-- question …]: asks all questions, or these. `bytes` is both `bytes-uploads` and `bytes-downloads`.
// npm run bench -- [question …] --against <git ref> [--rounds 15] [--on postgres]: asks them of this build and of
// another commit, side by side.

import { parseArgs } from 'node:util';
import { against, COMPARABLE } from './against.js';
import { attach } from './attach.js';
import { audit } from './audit.js';
import { bulk, bulkOf } from './bulk.js';
import { downloads, uploads } from './bytes.js';
import { boot } from './boot.js';
import { guards } from './guards.js';
import { handler } from './handler.js';
import { latency } from './latency.js';
import { listing } from './listing.js';
import { jobs } from './jobs.js';
import { objectStorage } from './object-storage.js';
import { queue } from './queue.js';
import { scan } from './scan.js';
import { search } from './search.js';
import { smallFiles } from './small-files.js';
import { tus } from './tus.js';
import { uploadMemory } from './upload-memory.js';
import { buildOf, thisBuild } from './support/build.js';
import { describeMachine } from './support/machine.js';

const QUESTIONS: Record<string, () => Promise<void>> = {
  attach,
  guards,
  handler,
  latency,
  queue,
  jobs,
  'bytes-uploads': uploads,
  'bytes-downloads': downloads,
  'small-files': smallFiles,
  scan,
  listing,
  search,
  boot,
  audit,
  bulk,
  'upload-memory': uploadMemory,
  'object-storage': objectStorage,
  tus,
};

const { values, positionals: named } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, rounds: { type: 'string', default: '15' }, on: { type: 'string' } },
});
const known = values.against === undefined ? Object.keys(QUESTIONS) : [...COMPARABLE, 'bulk'];
const isMeant = (question: string, name: string): boolean => question === name || question.startsWith(`${name}-`);
const unknown = named.find((name) => !known.some((question) => isMeant(question, name)));
if (unknown !== undefined) throw new Error(`There is no question "${unknown}" here. Questions: ${known.join(', ')}`);
const asked = known.filter((question) => named.length === 0 || named.some((name) => isMeant(question, name)));
console.log(describeMachine());
if (values.against === undefined) for (const question of asked) await QUESTIONS[question]!();
else {
  const other = buildOf(values.against);
  const served = asked.filter((question) => question !== 'bulk');
  if (served.length > 0) await against(other, served, Number(values.rounds), values.on);
  if (asked.includes('bulk')) await bulkOf([other, thisBuild], Number(values.rounds));
}
