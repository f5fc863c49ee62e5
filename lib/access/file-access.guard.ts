import { Injectable, mixin } from '@nestjs/common';
import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import { DecorationInvalidError } from '../errors/setup.errors.js';
import { ActorSource } from '../actor/actor.js';
import { fileIdOrFail } from '../files/file-id.js';
import { FilesService } from '../files/files.service.js';
import { FilesAccess } from './files-access.js';
import type { FileOperation } from './operations.js';

/**
 * Where the file's id is. A string is the name of a route parameter, a resolver's argument or a message's field. A
 * function gets the HTTP request, the resolver's arguments or the message's data, and the context.
 */
export type FileIdSource<T> = string | ((input: T, context: ExecutionContext) => unknown);

/**
 * Makes a guard that admits a call if its actor may perform the operation on the file. Otherwise the call fails like
 * one of the library's own routes. The guard runs before the unit of work of `@WithTaskQueue()` opens.
 */
export function FileAccessGuard<T>(operation: FileOperation, source: FileIdSource<T>): Type<CanActivate> {
  // Decorated so that the compiler emits the types of the parameters for Nest.
  @Injectable()
  class FileAccessGuardMixin implements CanActivate {
    constructor(
      private readonly files: FilesService,
      private readonly access: FilesAccess,
      private readonly actors: ActorSource,
    ) {}

    async canActivate(context: ExecutionContext): Promise<boolean> {
      const id = typeof source === 'string' ? named(source, context) : source(inputOf(context) as T, context);
      // The id in the error is normalized, so that a missing and a hidden file get equal errors.
      const file = await this.files.findOrFail(fileIdOrFail(id ?? null));
      await this.access.assertCan(await this.actors.of(context), operation, file);
      return true;
    }
  }
  return mixin(FileAccessGuardMixin);
}

function named(name: string, context: ExecutionContext): unknown {
  const input = inputOf(context);
  if (context.getType() !== 'http') return ownValue(input, name);
  const { params } = input as { params: object };
  if (Object.hasOwn(params, name)) return ownValue(params, name);
  const place = `${context.getClass().name}.${context.getHandler().name}`;
  throw new DecorationInvalidError(
    '@RequireFileAccess()',
    place,
    `its route has no parameter "${name}". Name one that it has, or give a function: (request) => request.body.fileId`,
  );
}

function ownValue(from: unknown, name: string): unknown {
  const holds = typeof from === 'object' && from !== null && Object.hasOwn(from, name);
  return holds ? (from as Record<string, unknown>)[name] : undefined;
}

function inputOf(context: ExecutionContext): unknown {
  switch (context.getType<string>()) {
    case 'http':
      return context.switchToHttp().getRequest();
    case 'ws':
      return context.switchToWs().getData();
    case 'rpc':
      return context.switchToRpc().getData();
    default:
      // GraphQL: the parent, the arguments, the context, the info.
      return context.getArgByIndex(1);
  }
}
