import {
  Body,
  Controller,
  ForbiddenException,
  HttpCode,
  HttpException,
  HttpStatus,
  Ip,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { LogInDto } from '../auth/log-in.dto.js';
import { isSameOrigin } from '../auth/same-origin.js';
import { SessionsService } from '../auth/sessions.service.js';
import { sessionCookie } from '../auth/session-cookie.js';
import type { PortalRequest } from '../auth/token.guard.js';
import { DEMO_ACCOUNTS } from '../users/demo-accounts.js';
import { Assets } from './assets.js';
import { escape } from './escape.js';
import { HtmlAnswer, PageRoute } from './page-route.decorator.js';
import { renderPage } from './page.js';

/** What Express and Fastify both have. */
interface PortalResponse {
  header(name: string, value: string): unknown;
  status(code: number): unknown;
}

/** Logging in and out with plain forms. The token that API clients get as JSON is in a cookie here. */
@Controller('web')
export class SessionController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly assets: Assets,
  ) {}

  @PageRoute('login')
  form(@Req() request: PortalRequest): string {
    return this.#page(request);
  }

  @Post('login')
  @HtmlAnswer()
  async logIn(
    @Body() dto: LogInDto,
    @Query('next') next: unknown,
    @Req() request: PortalRequest,
    @Res({ passthrough: true }) response: PortalResponse,
    @Ip() from: string,
  ): Promise<string> {
    // Or another site could log somebody in as somebody else.
    if (!isSameOrigin(request.headers)) throw new ForbiddenException('Another site has sent this request.');
    const session = await this.sessions.open(dto, from).catch(tooMany);
    if (session === null || session instanceof HttpException) {
      response.status(session === null ? HttpStatus.UNAUTHORIZED : session.getStatus());
      const problem = session?.message ?? 'The name or the password is wrong.';
      return this.#page(request, { name: dto.name, problem });
    }
    response.header('Set-Cookie', sessionCookie.set(session.token));
    return redirect(response, pathWithin(next));
  }

  @Post('logout')
  @HttpCode(303)
  async logOut(
    @Req() { headers }: PortalRequest,
    @Res({ passthrough: true }) response: PortalResponse,
  ): Promise<string> {
    await this.sessions.close(sessionCookie.read(headers) ?? '');
    response.header('Set-Cookie', sessionCookie.clear());
    return redirect(response, '/web/packages');
  }

  #page({ user, url }: PortalRequest, { name = '', problem = '' } = {}): string {
    return renderPage({ user, assets: this.assets.address, url, content: logInForm(name, problem) });
  }
}

/** Is told on the page, and not as JSON. */
function tooMany(error: unknown): HttpException {
  if (error instanceof HttpException && error.getStatus() === 429) return error;
  throw error;
}

function redirect(response: PortalResponse, to: string): string {
  response.status(303);
  response.header('Location', to);
  return '';
}

/** The page to go to after logging in: always one of the portal, even if the link names another site. */
function pathWithin(next: unknown): string {
  return typeof next === 'string' && /^\/web\/[\w/?=&%.-]*$/.test(next) ? next : '/web/files';
}

function logInForm(name: string, problem: string): string {
  return `<form class="card narrow" method="post">
      ${problem && `<p class="problem" role="alert" id="problem">${problem}</p>`}
      <p class="field"><label for="name">Name</label>
        <input id="name" name="name" value="${escape(name)}" required autocomplete="username" autocapitalize="none" autofocus
          ${problem && 'aria-invalid="true" aria-describedby="problem"'}></p>
      <p class="field"><label for="password">Password</label>
        <input id="password" name="password" type="password" required autocomplete="current-password"
          ${problem && 'aria-invalid="true" aria-describedby="problem"'}></p>
      <p><button class="button">Log in</button></p>
    </form>
    <section class="narrow">
      <h2>Accounts to try</h2>
      <table><thead><tr><th>Name</th><th>Password</th></tr></thead><tbody>
        ${DEMO_ACCOUNTS.map((account) => `<tr><td>${account.name}</td><td><code>${account.password}</code></td></tr>`).join('')}
      </tbody></table>
    </section>`;
}
