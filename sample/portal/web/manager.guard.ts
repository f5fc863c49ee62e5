import { ForbiddenException, Injectable } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { PortalRequest } from '../auth/token.guard.js';

/** Lets only managers in. */
@Injectable()
export class ManagerGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<PortalRequest>().user?.isManager) return true;
    throw new ForbiddenException('This is for managers.');
  }
}
