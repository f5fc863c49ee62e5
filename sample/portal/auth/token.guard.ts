import type { IncomingHttpHeaders } from 'node:http';
import { ForbiddenException, Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { User } from '../users/user.entity.js';
import { isSameOrigin } from './same-origin.js';
import { sessionCookie } from './session-cookie.js';
import { SessionsService } from './sessions.service.js';

export interface PortalRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  /** `null` for a user who has not signed in. */
  user: User | null;
}

/**
 * Sets `request.user` on every route, those of the library included: by the header of an API client, or by the cookie
 * of a browser. It is a guard because guards see the request of any platform.
 */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(private readonly sessions: SessionsService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<PortalRequest>();
    const { authorization } = request.headers;
    request.user = authorization === undefined ? await this.#byCookie(request) : await this.#byToken(authorization);
    return true;
  }

  async #byToken(authorization: string): Promise<User> {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    const user = token === undefined ? null : await this.sessions.userOf(token);
    if (!user) throw new UnauthorizedException('The token is unknown or has expired. Log in again: POST /login');
    return user;
  }

  // A browser sends its cookies no matter which site asks: what changes something has to come from a page of ours.
  async #byCookie({ method, headers }: PortalRequest): Promise<User | null> {
    const token = sessionCookie.read(headers);
    if (token === undefined) return null;
    if (method !== 'GET' && method !== 'HEAD' && !isSameOrigin(headers)) {
      throw new ForbiddenException('Another site has sent this request.');
    }
    return this.sessions.userOf(token);
  }
}
