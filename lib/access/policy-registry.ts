import { Inject, Injectable } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { OptionInvalidError, DecorationInvalidError } from '../errors/setup.errors.js';
import { ACCESS_OPTIONS } from './access-options.js';
import type { AccessOptions } from './access-options.js';
import { FILE_POLICY } from './file-policy.decorator.js';
import type { FileAccessPolicy } from './file-policy.decorator.js';
import { OWNER_POLICY } from './owner-policy.decorator.js';
import type { FileOwnerPolicy } from './owner-policy.decorator.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** The policies among the application's providers, found at boot. */
@Injectable()
export class PolicyRegistry implements OnModuleInit {
  readonly #owners = new Map<string, FileOwnerPolicy>();
  readonly #hooks: FileAccessPolicy[] = [];

  constructor(
    private readonly discovery: DiscoveryService,
    @Inject(ACCESS_OPTIONS) private readonly options: AccessOptions,
  ) {}

  /** The hooks, to be asked before the owner's policy. */
  get hooks(): readonly FileAccessPolicy[] {
    return this.#hooks;
  }

  find(ownerType: string): FileOwnerPolicy | undefined {
    return this.#owners.get(ownerType);
  }

  /** The policy of a type that `cascade` lists; throws `OptionInvalidError` where there is none. */
  get(ownerType: string): FileOwnerPolicy {
    const policy = this.#owners.get(ownerType);
    if (policy !== undefined) return policy;
    throw new OptionInvalidError(
      'cascade',
      `"${ownerType}" has no policy. Add a provider decorated with @OwnerPolicy('${ownerType}'), or take the type out`,
    );
  }

  onModuleInit(): void {
    // A class that several modules provide is one policy.
    const seen = new Set<unknown>();
    for (const wrapper of this.discovery.getProviders()) {
      const policy = classOf(wrapper);
      if (policy === undefined || seen.has(policy)) continue;
      const ownerType: unknown = Reflect.getMetadata(OWNER_POLICY, policy);
      const isHook = Reflect.hasMetadata(FILE_POLICY, policy);
      if (ownerType === undefined && !isHook) continue;
      seen.add(policy);
      const instance = singleton(wrapper, policy);
      if (typeof ownerType === 'string') this.#add(ownerType, instance as FileOwnerPolicy, policy.name);
      if (isHook) this.#hooks.push(instance as FileAccessPolicy);
    }
    for (const listed of Object.keys(this.options.cascade)) this.get(listed);
  }

  #add(ownerType: string, policy: FileOwnerPolicy, className: string): void {
    const other = this.#owners.get(ownerType);
    if (other !== undefined) {
      const why = `${other.constructor.name} is the policy of "${ownerType}" already. One type has one policy.`;
      throw new DecorationInvalidError(`@OwnerPolicy('${ownerType}')`, className, why);
    }
    this.#owners.set(ownerType, policy);
  }
}

function classOf(wrapper: Wrapper): { name: string } | undefined {
  if (!wrapper.isNotMetatype) return wrapper.metatype as { name: string };
  // The class of a value, or of what a factory makes, is known only from the instance.
  const instance: unknown = wrapper.instance;
  return typeof instance === 'object' && instance !== null ? instance.constructor : undefined;
}

function singleton(wrapper: Wrapper, policy: { name: string }): unknown {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) return wrapper.instance;
  throw new DecorationInvalidError(
    Reflect.hasMetadata(FILE_POLICY, policy) ? '@FilePolicy()' : '@OwnerPolicy()',
    policy.name,
    'a policy and its dependencies must be singletons, because it is asked outside of requests, too.',
  );
}
