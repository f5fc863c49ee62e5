import { Catch, UnauthorizedException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { PortalRequest } from '../auth/token.guard.js';

/** Sends a user who must log in to the login page, and back. */
@Catch(UnauthorizedException)
export class LogInFirstFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(_error: UnauthorizedException, host: ArgumentsHost): void {
    const { url } = host.switchToHttp().getRequest<PortalRequest>();
    const response: unknown = host.switchToHttp().getResponse();
    this.host.httpAdapter.redirect(response, 303, `/web/login?next=${encodeURIComponent(url)}`);
  }
}
