/**
 * Makes an element: `h('a', { href: '/web' }, 'text')`. Functions become listeners, true and false attributes without a value, null nothing.
 * Texts become text nodes and never HTML: the name of a file can be no more than a name.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...unknown} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Shows these children and no others. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** An id that nothing in the page has. */
export function freshId(what) {
  freshId.last += 1;
  return `${what}-${freshId.last}`;
}
freshId.last = 0;

/** @returns {(Node | string)[]} */
function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
