/** What the portal answers when it does not do what it is asked. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string[]} messages
   */
  constructor(status, messages) {
    super(messages.join('\n'));
    this.status = status;
    this.messages = messages;
  }
}

/**
 * Asks the API as the user of the cookie: `await api('PATCH', `/files/${id}`, { name })`. Throws a `Refusal`.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function api(method, path, body) {
  const json = body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(path, { method, ...json }).catch(() => {
    throw new Refusal(0, ['The portal does not answer. Is it running?']);
  });
  const text = await response.text();
  if (!response.ok) throw refusal(response.status, text);
  return text === '' ? undefined : JSON.parse(text);
}

/** @param {string} path */
export const get = (path) => api('GET', path);

/**
 * What the answer says, in the form that Nest gives it.
 * @param {number} status
 * @param {string} text
 */
export function refusal(status, text) {
  if (status === 401)
    return new Refusal(status, ['You are no longer logged in. Log in in another tab, then try again.']);
  try {
    return new Refusal(status, [JSON.parse(text).message].flat());
  } catch {
    return new Refusal(status, [`The portal answers ${status}.`]);
  }
}
