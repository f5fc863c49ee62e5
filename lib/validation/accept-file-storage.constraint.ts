import type { ValidationOptions } from 'class-validator';
import { InvalidDecorationError } from '../errors/invalid-decoration.error.js';
import { fileConstraint } from './file-constraint.js';
import { NO_FILE } from './file-exists.constraint.js';
import { splitOptions } from './split-options.js';

/** The field names files in these storages. Validation options may come last. */
export function AcceptFileStorage(...args: [name: string, ...more: (string | ValidationOptions)[]]): PropertyDecorator {
  const [storages, options] = splitOptions(args);
  if (storages.length === 0)
    throw new InvalidDecorationError('@AcceptFileStorage()', 'a property', 'it names no storage.');
  const accepted = storages.join(', ');
  const problem = `File storage must be one of ${accepted}`;
  return fileConstraint(
    {
      name: 'acceptFileStorage',
      constraints: [accepted],
      noFile: NO_FILE,
      check: (file) => (file ? (storages.includes(file.storage) ? undefined : problem) : NO_FILE),
    },
    options,
  );
}
