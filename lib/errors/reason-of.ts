/** What went wrong, in one line: an error of several addresses that were tried has no message of its own. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map((one) => reasonOf(one)))].join('; ');
  return (error as NodeJS.ErrnoException).code ?? error.name;
}
