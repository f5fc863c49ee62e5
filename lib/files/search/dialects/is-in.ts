/** SQL for being one of a list that is not empty. */
export function isIn(subject: string, list: readonly string[]): string {
  return list.length === 1 ? `${subject} = ${list[0]}` : `${subject} IN (${list.join(', ')})`;
}
