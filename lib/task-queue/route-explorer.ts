import { Injectable, ParseArrayPipe, type Type } from '@nestjs/common';
import {
  CUSTOM_ROUTE_ARGS_METADATA,
  METHOD_METADATA,
  PIPES_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { ApplicationConfig, DiscoveryService, MetadataScanner } from '@nestjs/core';
import { decorationOf } from './task-queue.interceptor.js';

/** The facts about an HTTP route that are known before it is called. */
export interface Route {
  /** `Controller.method`, for messages. */
  readonly place: string;
  /** The method that answers. */
  readonly handler: object;
  readonly isDecorated: boolean;
  readonly isSse: boolean;
  /** The handler sends the response itself: `@Res()` without `passthrough`. */
  readonly takesResponse: boolean;
  /** The handler may leave the answer to the next middleware: `@Next()`. */
  readonly takesNext: boolean;
  /**
   * The types of its whole `@Body()` parameters, as the compiler emitted them; of a list with `ParseArrayPipe`, that of
   * its items.
   */
  readonly bodyTypes: readonly unknown[];
  /** Its parameters with a schema: `@Body({ schema })` and the like. */
  readonly schemas: readonly SchemaParameter[];
}

/** A parameter that is to be validated with a schema. */
export interface SchemaParameter {
  readonly schema: unknown;
  /** The pipes that it goes through: instances or classes. */
  readonly pipes: readonly unknown[];
}

interface RouteArgument {
  readonly index: number;
  readonly data?: unknown;
  readonly schema?: unknown;
  readonly pipes?: readonly unknown[];
}

/** Lists the HTTP routes of the application. */
@Injectable()
export class RouteExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: ApplicationConfig,
  ) {}

  routes(): Route[] {
    return this.discovery
      .getControllers()
      .map(({ metatype }) => metatype)
      .filter((metatype): metatype is Type => typeof metatype === 'function')
      .flatMap((controller) => this.#routesOf(controller));
  }

  #routesOf(controller: Type): Route[] {
    const prototype = controller.prototype as Record<string, unknown>;
    return this.scanner
      .getAllMethodNames(prototype)
      .filter((method) => Reflect.hasMetadata(METHOD_METADATA, prototype[method] as object))
      .map((method) => routeOf(controller, prototype, method, this.#globalPipes()));
  }

  #globalPipes(): unknown[] {
    const scoped = this.config.getGlobalRequestPipes().map(({ metatype }) => metatype);
    return [...this.config.getGlobalPipes(), ...scoped];
  }
}

function routeOf(
  controller: Type,
  prototype: Record<string, unknown>,
  method: string,
  globalPipes: readonly unknown[],
): Route {
  const handler = prototype[method] as object;
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, method) ?? {}) as Record<string, RouteArgument>;
  const types = (Reflect.getMetadata('design:paramtypes', prototype, method) ?? []) as unknown[];
  const passthrough = Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, controller, method) === true;
  const own = Object.entries(args)
    .filter(([key]) => !key.includes(CUSTOM_ROUTE_ARGS_METADATA))
    .map(([key, argument]) => [key, withSchema(argument)] as const);
  const pipes = [...globalPipes, ...pipesOn(controller), ...pipesOn(handler)];
  const of = (kind: RouteParamtypes): RouteArgument[] =>
    own.filter(([key]) => key.startsWith(`${kind}:`)).map(([, argument]) => argument);
  return {
    place: `${controller.name}.${method}`,
    handler,
    isDecorated: decorationOf(handler) !== undefined,
    isSse: Reflect.getMetadata(SSE_METADATA, handler) === true,
    takesResponse: of(RouteParamtypes.RESPONSE).length > 0 && !passthrough,
    takesNext: of(RouteParamtypes.NEXT).length > 0,
    bodyTypes: of(RouteParamtypes.BODY)
      .filter(({ data, schema }) => data === undefined && schema === undefined)
      .map(({ index, pipes: own }) => itemsOf([...pipes, ...(own ?? [])]) ?? types[index]),
    schemas: own
      .filter(([, { schema }]) => schema !== undefined)
      .map(([, argument]) => ({ schema: argument.schema, pipes: [...pipes, ...(argument.pipes ?? [])] })),
  };
}

/** Nest 11, which has no schemas, keeps the options of `@Body({ schema })` as if they were a pipe. */
function withSchema(argument: RouteArgument): RouteArgument {
  const options = argument.pipes?.find(isSchemaOptions);
  return options ? { ...argument, schema: options.schema } : argument;
}

function isSchemaOptions(pipe: unknown): pipe is { schema: unknown } {
  return typeof pipe === 'object' && pipe !== null && 'schema' in pipe && !('transform' in pipe);
}

/** The class as which `ParseArrayPipe` validates the items of a list. */
function itemsOf(among: readonly unknown[]): unknown {
  const pipe = among.find((one) => one instanceof ParseArrayPipe) as { options?: { items?: unknown } } | undefined;
  return pipe?.options?.items;
}

function pipesOn(target: object): unknown[] {
  return (Reflect.getMetadata(PIPES_METADATA, target) ?? []) as unknown[];
}
