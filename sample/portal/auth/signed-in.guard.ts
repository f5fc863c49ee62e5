import { Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { PortalRequest } from './token.guard.js';

/** Lets only users in who have signed in. */
@Injectable()
export class SignedInGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<PortalRequest>().user) return true;
    throw new UnauthorizedException('Log in first: POST /login');
  }
}
