import { Injectable, SetMetadata } from '@nestjs/common';
import type { OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isForm } from './form-reader.js';

/** The metadata key of `@RouteConfig()` of @nestjs/platform-fastify, a package that is missing on Express. */
const FASTIFY_ROUTE_CONFIG = '__fastify_route_config__';
const RAW_BODY = 'nestjs-files:raw-body';
const RAW_FORM = 'nestjs-files:raw-form';

interface FastifyRequest {
  raw: IncomingMessage;
  headers: IncomingHttpHeaders | undefined;
  routeOptions: { config?: Record<string, unknown> };
}

interface FastifyInstance {
  addHook(
    name: 'preParsing',
    hook: (request: FastifyRequest, reply: unknown, payload: unknown, done: Done) => void,
  ): void;
  addHook(name: 'preValidation', hook: (request: FastifyRequest, reply: unknown, done: Done) => void): void;
}

type Done = (error: null, payload?: unknown) => void;

/** The handler reads the request's body itself, from `rawRequest()`. */
export function RawBody(): MethodDecorator {
  return SetMetadata(FASTIFY_ROUTE_CONFIG, { [RAW_BODY]: true });
}

/** As `RawBody`, for forms alone, on a handler that is decorated already; the routes are not registered yet. */
export function leaveFormsRaw(handler: object): void {
  const config = Reflect.getMetadata(FASTIFY_ROUTE_CONFIG, handler) as object | undefined;
  Reflect.defineMetadata(FASTIFY_ROUTE_CONFIG, { ...config, [RAW_FORM]: true }, handler);
}

/** Node's request under that of the platform. */
export function rawRequest(request: IncomingMessage | { raw: IncomingMessage }): IncomingMessage {
  return 'raw' in request ? request.raw : request;
}

/**
 * Keeps Fastify from parsing the bodies of marked routes: otherwise it answers 415 to forms. A content type parser
 * would take forms away from the application's own routes, so the body is hidden instead, and only on these routes.
 */
@Injectable()
export class FastifyRawBody implements OnModuleInit {
  constructor(private readonly adapters: HttpAdapterHost) {}

  onModuleInit(): void {
    const adapter = this.adapters.httpAdapter;
    if (adapter?.getType() !== 'fastify') return;
    const fastify = adapter.getInstance<FastifyInstance>();
    fastify.addHook('preParsing', (request, _reply, payload, done) => {
      if (isRaw(request)) {
        Object.assign(request, {
          headers: { 'content-type': undefined, 'content-length': undefined, 'transfer-encoding': undefined },
        });
      }
      done(null, payload);
    });
    fastify.addHook('preValidation', (request, _reply, done) => {
      // Shows them again: they were only covered.
      if (isRaw(request)) Object.assign(request, { headers: undefined });
      done(null);
    });
  }
}

function isRaw({ raw, routeOptions: { config } }: FastifyRequest): boolean {
  // Not the request's own headers: those may be covered.
  return config?.[RAW_BODY] === true || (config?.[RAW_FORM] === true && isForm(raw.headers['content-type']));
}
