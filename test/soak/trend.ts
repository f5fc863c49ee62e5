/** A value at a moment, in milliseconds. */
export interface Sample {
  readonly at: number;
  readonly value: number;
}

/** By how much it grows in a minute: the slope of the straight line that fits best. */
export function growthPerMinute(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) => samples.reduce((sum, one) => sum + of(one), 0) / samples.length;
  const [at, value] = [mean((one) => one.at), mean((one) => one.value)];
  const spread = samples.reduce((sum, one) => sum + (one.at - at) ** 2, 0);
  const together = samples.reduce((sum, one) => sum + (one.at - at) * (one.value - value), 0);
  return spread === 0 ? 0 : (together / spread) * 60_000;
}
