import type { Ledger } from './ledger.js';
import type { Measure } from './measure.js';
import type { Rest } from './soak-world.js';
import type { Tally } from './tally.js';

const MIB = 1024 * 1024;

/** What the run came to, to be read. */
interface SoakReport {
  readonly name: string;
  readonly seconds: number;
  readonly tally: Tally;
  readonly cuts: number;
  readonly ledgers: readonly Ledger[];
  readonly memory: readonly { at: number; measure: Measure }[];
  readonly growth: { readonly heap: number; readonly rss: number };
  readonly first: Rest;
  readonly last: Rest;
}

export function tellSoak({ name, seconds, tally, cuts, ledgers, memory, growth, first, last }: SoakReport): string {
  const { faults, units } = last;
  const line = memory.map(({ at, measure }) => `${Math.round(at / 1000)} s ${mib(measure.heap)}/${mib(measure.rss)}`);
  return [
    `Soak: ${seconds} s on ${name}, ${tally.total} requests, ${Math.round(tally.total / seconds)} a second`,
    tally.toString(),
    `  faults: ${listed({ ...faults, 'connections cut': cuts })}`,
    `  units: ${listed(units.ended)}`,
    `  told of: ${certainty('files', ledgers)}; ${certainty('shelves', ledgers)}`,
    `  memory under load, heap/rss in MiB: ${line.join(', ')}`,
    `  growth under load, in the second half: heap ${mib(growth.heap)} MiB/min, rss ${mib(growth.rss)} MiB/min`,
    `  at rest, after the warm-up and at the end: heap ${mib(first.heap)} and ${mib(last.heap)} MiB, rss ${mib(first.rss)} and ${mib(last.rss)} MiB, ` +
      `handles ${first.handles?.length ?? 'untold'} and ${last.handles?.length ?? 'untold'}`,
    `  resources at rest: ${listed(first.resources)}; ${listed(last.resources)}`,
    `  pool at rest: ${last.pool ? listed(last.pool) : 'none'}`,
  ].join('\n');
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

/** Of how many it was told for certain whether they are, and what. */
function certainty(what: 'files' | 'shelves', ledgers: readonly Ledger[]): string {
  const told = ledgers.flatMap((ledger) => [...ledger[what].values()]);
  const certain = told.filter((states) => states.length === 1);
  const there = certain.filter(([state]) => state !== undefined).length;
  return `${what} that are there ${there}, that are no more ${certain.length - there}, either ${told.length - certain.length}`;
}
