import type { User } from '../users/user.entity.js';
import { escape } from './escape.js';

export interface Page {
  user: User | null;
  /** Where the assets are. */
  assets: string;
  /** The address of the page: to mark it in the navigation, and to come back to after logging in. */
  url: string;
  /** The script that fills the page: assets/<script>.page.js. */
  script?: string;
  /** HTML that is there before any script runs. */
  content?: string;
}

interface Place {
  path: string;
  title: string;
}

/** The element of the library, which it serves with `http: { assets: true }`. */
const FILE_FIELD = '/files/assets/field/file-field.js';
const WITH_FILE_FIELD = new Set(['files', 'package-form', 'record-form']);

const LOG_IN = { path: '/web/login', title: 'Log in' };
const MY_FILES = { path: '/web/files', title: 'My files' };
const MANAGE = { path: '/web/manage', title: 'All files' };
const PLACES = [
  { path: '/web/packages', title: 'Packages' },
  { path: '/web/groups', title: 'Groups' },
  { path: '/web/organizations', title: 'Organizations' },
  { path: '/web/users', title: 'Users' },
];

/** A whole page: the frame that all pages have, in which a script shows what the portal's API tells it. */
export function renderPage({ user, assets, url, script, content = '' }: Page): string {
  const [path = ''] = url.split('?');
  const title = [...PLACES, LOG_IN, MY_FILES, MANAGE].find((place) => isWithin(place, path))?.title ?? 'Data portal';
  const places = [...PLACES, ...(user ? [MY_FILES] : []), ...(user?.isManager ? [MANAGE] : [])];
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · Data portal</title>
  <link rel="icon" href="${assets}/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="${assets}/portal.css">
  ${script && WITH_FILE_FIELD.has(script) ? `<script type="module" src="${FILE_FIELD}"></script>` : ''}
  ${script ? `<script type="module" src="${assets}/${script}.page.js"></script>` : ''}
</head>
<body data-user="${user?.id ?? ''}">
  <a class="skip" href="#main">Skip to the content</a>
  <header class="bar">
    <a class="brand" href="/web/packages"><img src="${assets}/icon.svg" alt="" width="28" height="28">Data portal</a>
    <nav aria-label="Main">${places.map((place) => link(place, path)).join('')}</nav>
    ${user ? whoIs(user) : `<a class="who button" href="/web/login?next=${encodeURIComponent(url)}">Log in</a>`}
  </header>
  <main id="main" tabindex="-1">
    <div class="heading"><h1>${title}</h1></div>
    ${content}
    ${script ? '<noscript><p class="notice">The pages need JavaScript. The API of the portal has the same functions.</p></noscript>' : ''}
  </main>
</body>
</html>
`;
}

function isWithin(place: Place, path: string): boolean {
  return path === place.path || path.startsWith(`${place.path}/`);
}

function link(place: Place, path: string): string {
  return `<a href="${place.path}"${isWithin(place, path) ? ' aria-current="page"' : ''}>${place.title}</a>`;
}

function whoIs({ id, fullName }: User): string {
  return `<form class="who" method="post" action="/web/logout">
      <a href="/web/users/${id}">${escape(fullName)}</a>
      <button class="quiet">Log out</button>
    </form>`;
}
