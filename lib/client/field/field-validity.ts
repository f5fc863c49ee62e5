/// <reference lib="dom" />
import type { FieldItem } from './field-item.js';
import type { FieldTexts } from './field-texts.js';

/** What else the validity of a field depends on. */
interface Given {
  /** What the page says is wrong. */
  own: string;
  isRequired: boolean;
  text(key: keyof FieldTexts): string;
}

/** What is wrong with a field of these files, and how the form says so; `''` if nothing is. */
export function validityOf(
  items: readonly FieldItem[],
  { own, isRequired, text }: Given,
): { flags: ValidityStateFlags; message: string } {
  const problem = own || items.find(({ state }) => state === 'failed')?.problem;
  const isOpen = items.some(({ id }) => id === undefined);
  const valueMissing = isRequired && items.every(({ id }) => id === undefined);
  return {
    flags: { customError: Boolean(problem) || isOpen, valueMissing },
    message: problem || (isOpen && text('unfinished')) || (valueMissing && text('missing')) || '',
  };
}
