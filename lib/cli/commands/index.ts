import type { Command } from '../command.js';
import { cat } from './cat.js';
import { copy } from './copy.js';
import { erase } from './erase.js';
import { expire } from './expire.js';
import { importFiles } from './import.js';
import { ls } from './ls.js';
import { move } from './move.js';
import { orphans } from './orphans.js';
import { rescan } from './rescan.js';
import { rebuildUsage } from './rebuild-usage.js';
import { schema } from './schema.js';
import { show } from './show.js';
import { stats } from './stats.js';
import { storages } from './storages.js';
import { sweep } from './sweep.js';
import { verify } from './verify.js';

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  storages,
  stats,
  ls,
  show,
  cat,
  verify,
  orphans,
  move,
  copy,
  rescan,
  importFiles,
  sweep,
  expire,
  rebuildUsage,
  schema,
  erase,
];
