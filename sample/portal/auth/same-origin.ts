import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a page of the portal itself makes the request, and not another site's. Browsers say so, and pages cannot
 * change what they say: in `Sec-Fetch-Site`, and where that is missing, as without TLS, in `Origin`.
 */
export function isSameOrigin({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin';
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}
