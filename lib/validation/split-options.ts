/** Takes the options off the end of a list of texts. */
export function splitOptions<Options extends object>(args: readonly (string | Options)[]): [string[], Options?] {
  const texts = args.filter((arg) => typeof arg === 'string');
  return [texts, args.find((arg) => typeof arg !== 'string')];
}
