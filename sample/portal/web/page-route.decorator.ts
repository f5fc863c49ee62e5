import { applyDecorators, Get, Header } from '@nestjs/common';

/** Nothing but the portal's own scripts, styles and images; no inline scripts; no embedding in frames. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What every answer with HTML says. */
export const HtmlAnswer = () =>
  applyDecorators(
    Header('Content-Type', 'text/html; charset=utf-8'),
    Header('Content-Security-Policy', POLICY),
    Header('X-Content-Type-Options', 'nosniff'),
    Header('Referrer-Policy', 'same-origin'),
    Header('Cache-Control', 'private, no-store'),
  );

/** Routes that answer with a page. */
export const PageRoute = (...paths: string[]) => applyDecorators(Get(paths), HtmlAnswer());
