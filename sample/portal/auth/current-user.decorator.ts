import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { PortalRequest } from './token.guard.js';

/**
 * The user who makes the request; `null` for anonymous requests, which do not reach routes with the `SignedInGuard`.
 */
export const CurrentUser = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<PortalRequest>().user,
);
