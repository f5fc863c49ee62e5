import { createHash } from 'node:crypto';

export interface Answer<T = PortalJson> {
  status: number;
  body: T;
}

/** What the portal answers with, as far as its tests read it. */
export interface PortalJson {
  id: string;
  name: string;
  token: string;
  user: { id: string };
  visibility: string;
  attachmentId: string | null;
  attachment: { id: string; name: string; url: string } | null;
  avatar: { id: string; name: string; url: string } | null;
  image: { id: string; name: string; url: string } | null;
  resources: { id: string; name: string; fileId: string }[];
  fileId: string;
  ownerType: string | null;
  ownerId: string | null;
  pinned: boolean;
  code: string;
  message: string | string[];
}

/** Somebody at the portal, with or without a token. */
export class PortalClient {
  constructor(
    private readonly url: string,
    readonly token?: string,
    readonly id?: string,
  ) {}

  async logIn(name: string, password: string): Promise<PortalClient> {
    const { status, body } = await this.post('/login', { name, password });
    if (status !== 200) throw new Error(`${name} could not log in: ${status}`);
    return new PortalClient(this.url, body.token, body.user.id);
  }

  /** The same user at another process of the portal. */
  at(url: string): PortalClient {
    return new PortalClient(url, this.token, this.id);
  }

  get<T = PortalJson>(path: string): Promise<Answer<T>> {
    return this.#json<T>(path, {});
  }

  post(path: string, body?: object): Promise<Answer> {
    return this.#json(path, { method: 'POST', ...asJson(body) });
  }

  patch(path: string, body: object): Promise<Answer> {
    return this.#json(path, { method: 'PATCH', ...asJson(body) });
  }

  delete(path: string): Promise<Answer> {
    return this.#json(path, { method: 'DELETE' });
  }

  /** Sends new content for a file. */
  putFile(id: string, content: Uint8Array<ArrayBuffer>): Promise<Answer> {
    const headers = { 'content-type': 'application/octet-stream' };
    return this.#json(`/files/${id}/content`, { method: 'PUT', body: content, headers });
  }

  /** Sends a form as browsers do. */
  sendForm(method: 'POST' | 'PATCH', path: string, form: FormData): Promise<Answer> {
    return this.#json(path, { method, body: form });
  }

  sendFile(content: Uint8Array<ArrayBuffer>, name: string, type: string): Promise<Answer> {
    const form = new FormData();
    form.set('file', new Blob([content], { type }), name);
    return this.sendForm('POST', '/files', form);
  }

  /** The id of a new file of this user. */
  async upload(content: Uint8Array<ArrayBuffer>, name = 'report.pdf', type = 'application/pdf'): Promise<string> {
    const { status, body } = await this.sendFile(content, name, type);
    if (status !== 201) throw new Error(`The upload was refused: ${status} ${JSON.stringify(body)}`);
    return body.id;
  }

  /** The status of a download, and the SHA-256 of what came. */
  async download(fileId: string): Promise<{ status: number; sha256: string }> {
    const response = await this.#fetch(`/files/${fileId}/content`, {});
    return { status: response.status, sha256: sha256(new Uint8Array(await response.arrayBuffer())) };
  }

  async #json<T = PortalJson>(path: string, init: RequestInit): Promise<Answer<T>> {
    const response = await this.#fetch(path, init);
    const text = await response.text();
    return { status: response.status, body: JSON.parse(text === '' ? 'null' : text) as T };
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== undefined) headers.set('authorization', `Bearer ${this.token}`);
    return fetch(this.url + path, { ...init, headers });
  }
}

export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function asJson(body: object | undefined): RequestInit {
  return body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}
