/** Four times the work, with room for noise; what is quadratic grows sixteenfold. */
export const LINEAR = 9;
const MOST_ROUNDS = 8;

/**
 * How many times longer `4 * count` take than `count`, in processor time. The first run warms up. What else the process
 * does in the meantime can only add to a time, so that the least of each counts, and there are more rounds while these
 * say that it is not linear.
 */
export async function growth<Input>(
  count: number,
  prepare: (count: number) => Input | Promise<Input>,
  run: (input: Input) => unknown,
): Promise<number> {
  const time = async (some: number): Promise<number> => {
    const input = await prepare(some);
    const before = process.cpuUsage();
    await run(input);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  await time(count);
  let [short, long] = [Infinity, Infinity];
  for (let round = 0; round < 2 || (round < MOST_ROUNDS && long / short >= LINEAR); round++) {
    short = Math.min(short, await time(count));
    long = Math.min(long, await time(4 * count));
  }
  return long / short;
}
