/** One way to do the same work. A round resolves with how much of it was done in a second. */
export interface Contestant {
  readonly name: string;
  round(): Promise<number>;
}

export interface Standing {
  readonly name: string;
  /** The median of its rounds. */
  readonly perSecond: number;
  /** How many times as fast as the first contestant it was in the same round: least, median, most. */
  readonly ratio: readonly [number, number, number];
}

/**
 * Lets all contestants run in turn, round after round and each round in another order, so that what slows the machine
 * down for a while slows all of them. The first one is what the others are measured against.
 */
export async function contest(contestants: readonly Contestant[], rounds = 5): Promise<Standing[]> {
  const names = contestants.map(({ name }) => name);
  return standingsOf(names, await speedsOf(contestants, rounds));
}

/** What each contestant reached in each round. */
export async function speedsOf(contestants: readonly Contestant[], rounds: number): Promise<number[][]> {
  const speeds = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round) % contestants.length;
      speeds[index]!.push(await contestants[index]!.round());
    }
  }
  return speeds;
}

/** The standings of contestants that have reached this in the same rounds. */
export function standingsOf(names: readonly string[], speeds: readonly (readonly number[])[]): Standing[] {
  const [base = []] = speeds;
  return names.map((name, index) => {
    const own = speeds[index]!;
    const ratios = own.map((speed, round) => speed / base[round]!).toSorted((one, other) => one - other);
    return { name, perSecond: median(own), ratio: [ratios[0]!, median(ratios), ratios.at(-1)!] };
  });
}

/** A table for docs/benchmarks.md. */
export function printStandings(title: string, unit: string, standings: readonly Standing[]): void {
  const [base] = standings;
  console.log(`\n### ${title}\n\n| | ${unit} | times ${base?.name}: min / median / max |\n| --- | --- | --- |`);
  for (const { name, perSecond, ratio } of standings) {
    const ratios = ratio.map((value) => value.toFixed(2)).join(' / ');
    console.log(`| ${name} | ${perSecond < 100 ? perSecond.toFixed(1) : Math.round(perSecond)} | ${ratios} |`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1]! + sorted[middle]!) / 2 : sorted[Math.floor(middle)]!;
}
