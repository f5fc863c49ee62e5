import type { IncomingHttpHeaders } from 'node:http';

const NAME = 'portal_session';

/** Scripts cannot read it, and other sites cannot send it with anything but a link. Behind TLS, add `Secure`. */
const PROPERTIES = 'Path=/; HttpOnly; SameSite=Lax';

/** The token of a session in a cookie, for browsers: they send it automatically, with links and images too. */
export const sessionCookie = {
  read({ cookie = '' }: IncomingHttpHeaders): string | undefined {
    const pair = cookie.split(/; */).find((each) => each.startsWith(`${NAME}=`));
    return pair?.slice(NAME.length + 1);
  },

  /** What to send as `Set-Cookie`. It ends with the browser's session, or with the portal's. */
  set: (token: string) => `${NAME}=${token}; ${PROPERTIES}`,

  clear: () => `${NAME}=; Max-Age=0; ${PROPERTIES}`,
};
