import type { IncomingHttpHeaders } from 'node:http';
import { Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { User } from '../users/user.entity.js';
import { SessionsService } from './sessions.service.js';

export interface PortalRequest {
  headers: IncomingHttpHeaders;
  /** `null` for who has not signed in. */
  user: User | null;
}

/** Sets `request.user` on every route, those of the library included. It is a guard because guards see the request of any platform. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(private readonly sessions: SessionsService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<PortalRequest>();
    const { authorization } = request.headers;
    request.user = authorization === undefined ? null : await this.#userOf(authorization);
    return true;
  }

  async #userOf(authorization: string): Promise<User> {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    const user = token === undefined ? null : await this.sessions.userOf(token);
    if (!user) throw new UnauthorizedException('The token is unknown or has expired. Log in again: POST /login');
    return user;
  }
}
