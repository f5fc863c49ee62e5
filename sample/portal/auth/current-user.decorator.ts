import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { PortalRequest } from './token.guard.js';

/** The user who makes the request; `null` where nobody has signed in, which routes with the `SignedInGuard` need not expect. */
export const CurrentUser = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<PortalRequest>().user,
);
