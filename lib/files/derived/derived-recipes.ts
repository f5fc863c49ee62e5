import { Injectable } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { matchesContentType } from '../../storage/content-type.js';
import { StorageRegistry } from '../../storage/storage-registry.js';
import { decoratedMethods, decorationsOfClasses } from '../../task-queue/decorated-methods.js';
import type { ManagedFile } from '../managed-file.entity.js';
import { DERIVED_FILE } from './derived-file.decorator.js';
import type { DerivationContext, DerivedDecoration, DerivedFileOptions } from './derived-file.decorator.js';
import { isDerived } from './derived-rows.js';

/** How files of one kind are derived. */
export interface DerivedRecipe extends Required<Omit<DerivedFileOptions, 'from' | 'storage' | 'name'>> {
  readonly kind: string;
  /** The name of the job. */
  readonly job: string;
  readonly storage: string | undefined;
  /** Whether it derives from such a file. */
  takes(file: ManagedFile): boolean;
  nameFor(original: ManagedFile): string;
  /** Calls the method. What it gives is not checked. */
  make(content: unknown, context: DerivationContext): unknown;
}

const DEFAULTS = { attempts: 5, backoff: 1_000, timeout: 60_000, concurrency: 2 };

type Args = [content: unknown, context: DerivationContext];

/**
 * The methods with `@DerivedFile()` among the application's providers. Their kinds are known as soon as Nest makes
 * providers, because routes and the handlers of jobs are made by them.
 */
@Injectable()
export class DerivedRecipes implements OnModuleInit {
  readonly #recipes = new Map<string, DerivedRecipe>();
  readonly #methods = new Map<string, (...args: Args) => unknown>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly storages: StorageRegistry,
  ) {
    for (const { decoration, place } of decorationsOfClasses<DerivedDecoration>(discovery, scanner, DERIVED_FILE)) {
      const { kind, options } = decoration;
      if (this.#recipes.has(kind)) throw refusal(kind, place, 'another method derives this kind already.');
      this.#recipes.set(
        kind,
        recipeOf(kind, options, (...args) => this.#methods.get(kind)?.(...args)),
      );
    }
  }

  get all(): readonly DerivedRecipe[] {
    return [...this.#recipes.values()];
  }

  /** Whether anything is derived at all. */
  get areAny(): boolean {
    return this.#recipes.size > 0;
  }

  find(kind: string): DerivedRecipe | undefined {
    return this.#recipes.get(kind);
  }

  onModuleInit(): void {
    const methods = decoratedMethods<DerivedDecoration, Args>(this.discovery, this.scanner, DERIVED_FILE);
    for (const { decoration, place, isSingleton, call } of methods) {
      const { kind } = decoration;
      if (!this.#recipes.has(kind)) throw refusal(kind, place, 'its class itself must be a provider, not a factory.');
      if (!isSingleton)
        throw refusal(
          kind,
          place,
          'its provider must be a singleton, and so must what that injects: files are derived outside of requests.',
        );
      this.#assertStorage(kind, place);
      this.#methods.set(kind, call);
    }
  }

  #assertStorage(kind: string, place: string): void {
    const { storage } = this.#recipes.get(kind) ?? {};
    if (storage === undefined) return;
    const { names } = this.storages;
    if (!names.includes(storage))
      throw refusal(kind, place, `no storage is named "${storage}". Configured storages: ${names.join(', ')}.`);
    // Otherwise no original could be deleted any more.
    const missing = (['write', 'remove'] as const).find((verb) => !this.storages.get(storage).can(verb));
    if (missing) throw refusal(kind, place, `storage "${storage}" cannot ${missing}. Name one that can.`);
  }
}

function recipeOf(kind: string, options: DerivedFileOptions, make: DerivedRecipe['make']): DerivedRecipe {
  const { from, storage, name = ({ name: of }) => `${kind}-${of}`, ...given } = options;
  const patterns = [from].flat();
  return {
    ...DEFAULTS,
    ...given,
    kind,
    job: `nestjs-files.derive.${kind}`,
    storage,
    takes: (file) => !isDerived(file) && matchesContentType(file.contentType, patterns),
    nameFor: name,
    make,
  };
}

function refusal(kind: string, place: string, why: string): DecorationInvalidError {
  return new DecorationInvalidError(`@DerivedFile('${kind}')`, place, why);
}
