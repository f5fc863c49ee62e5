import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Upload } from 'tus-js-client';
import type { UploadOptions } from 'tus-js-client';
import type { FilesModuleOptions } from 'nestjs-files';
import { FileUpload } from 'nestjs-files/entities';
import { fsStorage } from 'nestjs-files/storage/fs';
import { UPLOAD_LEASE, UPLOAD_LEASE_DEFAULT } from '../../lib/files/resumable/upload-leases.js';
import { filesBelow, newDirectory } from './files-directory.js';
import { startApp } from './http-app.js';
import type { HttpApp, Platform } from './http-app.js';

export interface Asked {
  status: number;
  headers: Headers;
  /** The code of an error. */
  code: string | undefined;
}

type Given = Record<string, string | number | undefined>;

/** An application, and the requests of tus. The user is ada. */
export async function startTus(platform: Platform, options: Partial<FilesModuleOptions> = {}) {
  const app = await startApp({ platform, options });
  return { ...app, ...tusOf(app) };
}

/**
 * Two machines with one database and one directory, or the given storages. A lease lasts for `lease` milliseconds.
 */
export async function tusMachines(
  platform: Platform,
  lease = UPLOAD_LEASE_DEFAULT,
  further: Partial<FilesModuleOptions> = {},
) {
  const root = newDirectory();
  const database = { type: 'better-sqlite3', database: join(newDirectory(), 'files.sqlite') } as const;
  const start = async () => {
    const options = { storages: { default: fsStorage({ root }) }, ...further };
    const app = await startApp({ platform, database, options, overrides: [[UPLOAD_LEASE, lease]] });
    return { ...app, ...tusOf(app) };
  };
  const [one, two] = [await start(), await start()];
  return { one, two, rows: one.dataSource.getRepository(FileUpload), files: () => filesBelow(root) };
}

/** The requests of tus, to an application. */
export function tusOf({ fetch: ask }: Pick<HttpApp, 'fetch'>) {
  const send = async (method: string, path: string, given: Given = {}, body?: RequestInit['body']): Promise<Asked> => {
    const { user = 'ada', ...further } = given;
    const named = { 'Tus-Resumable': '1.0.0', ...(body !== undefined && OFFSET_STREAM), ...further };
    const headers = Object.entries(named).flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]]));
    const duplex = body instanceof ReadableStream ? { duplex: 'half' as const } : {};
    const init = { method, headers: Object.fromEntries(headers) as Record<string, string>, ...duplex };
    const who = user === 'nobody' ? {} : { user: String(user) };
    const answer = await ask(path, { ...init, ...(body !== undefined && { body }), ...who });
    const text = await answer.text();
    const { code } = (text === '' ? {} : JSON.parse(text)) as { code?: string };
    return { status: answer.status, headers: answer.headers, code };
  };
  const create = async (given: Given = {}, body?: RequestInit['body']) => {
    const answer = await send('POST', '/files/tus', given, body);
    const path = answer.headers.get('location') ?? '';
    return { ...answer, path, id: path.split('/').at(-1) ?? '' };
  };
  return {
    send,
    create,
    patch: (path: string, offset: number, body: RequestInit['body'], given: Given = {}) =>
      send('PATCH', path, { 'Upload-Offset': offset, ...given }, body),
    /** How many bytes are there. */
    offset: async (path: string) => Number((await send('HEAD', path)).headers.get('upload-offset') ?? -1),
    read: async (id: string, user = 'ada') => {
      const answer = await ask(`/files/${id}`, { user });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
    content: async (id: string) =>
      Buffer.from(await (await ask(`/files/${id}/content`, { user: 'ada' })).arrayBuffer()),
  };
}

/** Sends the bytes as tus-js-client does, and gives the id of the file. */
export function sendByTus(url: string, file: Buffer | Readable, options: UploadOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: `${url}/files/tus`,
      headers: { 'x-user': 'ada' },
      metadata: { filename: 'film.bin' },
      retryDelays: null as never,
      onError: reject,
      onSuccess: () => resolve(upload.url?.split('/').at(-1) ?? ''),
      ...options,
    });
    upload.start();
  });
}

const OFFSET_STREAM = { 'Content-Type': 'application/offset+octet-stream' };

export function metadata(given: Record<string, string>): string {
  return Object.entries(given)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`.trim())
    .join(',');
}

export function checksum(bytes: string | Buffer, algorithm = 'sha256'): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;
}

/** A PATCH whose bytes are sent one by one. */
export function openPatch(
  url: string,
  path: string,
  offset: number,
  length: number,
  headers: Record<string, string> = {},
) {
  const request: ClientRequest = httpRequest(url + path, {
    method: 'PATCH',
    headers: {
      'x-user': 'ada',
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
      'upload-offset': offset,
      'content-length': length,
      ...headers,
    },
  });
  request.on('error', () => {});
  const answered = new Promise<number | undefined>((resolve) => {
    request.on('response', (response: IncomingMessage) => resolve(response.resume().statusCode));
    request.on('close', () => resolve(undefined));
  });
  return { request, answered };
}
