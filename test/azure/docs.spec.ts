import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { BlobServiceClient } from '@azure/storage-blob';
import { FilesModule, FilesService } from 'nestjs-files';
import { FilesLinks } from 'nestjs-files/links';
import { azureStorage } from 'nestjs-files/storage/azure';
import { expect, it, onTestFinished } from 'vitest';
import { examplesNotRun } from '../support/doc-examples.js';
import { newDirectory } from '../support/files-directory.js';
import { startApp } from '../support/http-app.js';
import { AZURE } from './server.js';

/** What `@azure/identity` has many of. */
interface Token {
  getToken(): Promise<{ token: string; expiresOnTimestamp: number }>;
}

function connect(connectionString: string) {
  const service = BlobServiceClient.fromConnectionString(connectionString);
  const container = service.getContainerClient('files');
  return container;
}

const module = (container: ReturnType<typeof connect>) =>
  FilesModule.forRoot({
    storages: { default: azureStorage({ container, prefix: 'app/', maxSize: '1GiB' }) },
  });

function withToken(credential: Token) {
  const service = new BlobServiceClient('https://acme.blob.core.windows.net', credential); // DefaultAzureCredential of @azure/identity
  const storage = azureStorage({ container: service.getContainerClient('files'), service });
  return storage;
}

it('runs every example of docs/azure.md', async () => {
  expect(
    await examplesNotRun('azure.md', import.meta.url, new URL('direct-app.spec.ts', import.meta.url).href),
  ).toEqual([]);
});

it('has temporary addresses with a token, as docs/azure.md says', () => {
  const storage = withToken({ getToken: async () => ({ token: 'token', expiresOnTimestamp: Date.now() + 3_600_000 }) });
  expect(storage.can('temporaryUrl')).toBe(true);
});

it.skipIf(!AZURE)('keeps files of an application as docs/azure.md says', async () => {
  const container = connect(AZURE ?? '');
  await container.create();
  onTestFinished(async () => void (await container.delete()));
  const database = { type: 'better-sqlite3', database: join(newDirectory(), 'files.sqlite') } as const;
  const { app } = await startApp({ database, module: module(container) });
  const files = app.get(FilesService);

  const { id, location } = await files.create(Buffer.from('in a container'), { name: 'ä.txt' });
  const { url } = await app.get(FilesLinks).temporary(id);
  const lent = await fetch(url ?? '');

  expect(await container.getBlobClient(`app/${location}`).exists()).toBe(true);
  expect(await container.getBlobClient('app/.nestjs-files/mark').exists()).toBe(true);
  expect(await text(await files.stream(id, { start: 3, end: 5 }))).toBe('a c');
  expect([await lent.text(), lent.headers.get('content-type')]).toEqual(['in a container', 'text/plain']);
  await files.delete(id);
  await expect.poll(() => container.getBlobClient(`app/${location}`).exists()).toBe(false);
});
