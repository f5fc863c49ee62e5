import type { DerivedRecipe, DerivedRecipes } from '../files/derived/derived-recipes.js';
import type { DerivePayload } from '../files/derived/derived-files.js';
import { FileJob } from '../jobs/file-job.decorator.js';
import type { JobContext } from '../jobs/file-job.decorator.js';
import type { Derivations } from './derivations.js';

/** The handler of the jobs, for `JobHandlers` to find. */
export const DERIVE_HANDLER = Symbol('DERIVE_HANDLER');

type Method = (payload: DerivePayload, context: JobContext) => Promise<void>;

/** A provider with a job for each kind; null where nothing is derived, so that no engine looks for such jobs. */
export function createDeriveHandler(derivations: Derivations, recipes: DerivedRecipes): object | null {
  if (!recipes.areAny) return null;
  class DeriveHandler {}
  for (const recipe of recipes.all) addJob(DeriveHandler.prototype, recipe, derivations);
  return new DeriveHandler();
}

function addJob(prototype: object, recipe: DerivedRecipe, derivations: Derivations): void {
  const { kind, job, attempts, backoff, timeout, concurrency } = recipe;
  const value: Method = (payload, context) => derivations.run(recipe, payload, context);
  const descriptor = { value, configurable: true, writable: true };
  Object.defineProperty(prototype, kind, descriptor);
  FileJob(job, { attempts, backoff, timeout, concurrency, unit: false })(prototype, kind, descriptor);
}
