import { Matches } from 'class-validator';

/** A name as in addresses. */
export const IsName = () =>
  Matches(/^[a-z0-9-]{2,100}$/, { message: '$property must be 2 to 100 small letters, digits or dashes' });
