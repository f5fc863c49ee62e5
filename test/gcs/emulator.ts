import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';

/** The facts about an object as Google has them. */
export interface Resource {
  name: string;
  generation: string;
  size: string;
  contentType?: string;
  cacheControl?: string;
  metadata?: Record<string, string>;
}

/** What the emulator does: it keeps whole objects, lists, copies and removes them. */
export class Emulator {
  constructor(private readonly url: string) {}

  async find(bucket: string, name: string): Promise<Resource | undefined> {
    const answer = await fetch(this.#objectAt(bucket, name));
    const found = (await answer.json()) as Resource;
    return answer.ok ? found : undefined;
  }

  /** Not with `fetch`, which unpacks what is stored packed. */
  async read(bucket: string, name: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const address = `${this.#objectAt(bucket, name)}?alt=media`;
      request(address, { headers: { 'accept-encoding': 'gzip', ...headers } }, resolve)
        .once('error', reject)
        .end();
    });
  }

  async list(bucket: string, query: URLSearchParams): Promise<{ items?: Resource[]; nextPageToken?: string }> {
    return (await (await fetch(`${this.url}/storage/v1/b/${bucket}/o?${query}`)).json()) as { items?: Resource[] };
  }

  async store(bucket: string, name: string, bytes: Buffer, resource: object): Promise<Resource> {
    const boundary = randomUUID();
    const head = `--${boundary}\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(resource)}\r\n`;
    const body = Buffer.concat([
      Buffer.from(`${head}--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${boundary}--`),
    ]);
    const query = new URLSearchParams({ uploadType: 'multipart', name });
    const answer = await fetch(`${this.url}/upload/storage/v1/b/${bucket}/o?${query}`, {
      method: 'POST',
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body,
    });
    if (!answer.ok) throw new Error(`the emulator answered ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Resource;
  }

  async copy(bucket: string, from: string, to: string, resource: object): Promise<Resource> {
    const answer = await fetch(
      `${this.url}/b/${bucket}/o/${encodeURIComponent(from)}/copyTo/b/${bucket}/o/${encodeURIComponent(to)}`,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(resource) },
    );
    return (await answer.json()) as Resource;
  }

  async remove(bucket: string, name: string): Promise<void> {
    await fetch(this.#objectAt(bucket, name), { method: 'DELETE' });
  }

  #objectAt(bucket: string, name: string): string {
    return `${this.url}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  }
}
