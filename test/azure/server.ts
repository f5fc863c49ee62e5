import { randomUUID } from 'node:crypto';
import { BlobServiceClient, ContainerSASPermissions, ContainerClient } from '@azure/storage-blob';
import { onTestFinished } from 'vitest';
import { wireTo } from '../support/wire.js';
import type { Wire } from '../support/wire.js';

/** A connection string; there is none where the tests are skipped. */
export const AZURE = process.env['FILES_TEST_AZURE'];

// As an application would have them, but quicker.
const retryOptions = { maxTries: 3, retryDelayInMs: 10, maxRetryDelayInMs: 50 };

function connectionString(): string {
  if (AZURE === undefined) throw new Error('FILES_TEST_AZURE is not set: run npm run test:azure');
  return AZURE;
}

function serviceAt(endpoint?: URL): BlobServiceClient {
  const parts = connectionString()
    .split(';')
    .filter((part) => endpoint === undefined || !part.startsWith('BlobEndpoint='));
  const text = endpoint ? [...parts, `BlobEndpoint=${endpoint.href}`].join(';') : parts.join(';');
  return BlobServiceClient.fromConnectionString(text, { retryOptions });
}

/** The service, as whoever has its shared key sees it. */
export const service = (): BlobServiceClient => serviceAt();

/** An empty container, which is removed with the test. */
export async function newContainer(access?: 'blob'): Promise<ContainerClient> {
  const container = service().getContainerClient(`test-${randomUUID()}`);
  await container.create(access && { access });
  onTestFinished(async () => void (await container.deleteIfExists()));
  return container;
}

/** All that is in the container but the mark, also what is not finished. */
export async function namesIn(container: ContainerClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true })) names.push(name);
  return names.filter((name) => name !== '.nestjs-files/mark');
}

/** The same container, for whoever has no more than a SAS. */
export async function withSas(container: ContainerClient, permissions = 'rcwdl'): Promise<ContainerClient> {
  const expiresOn = new Date(Date.now() + 3_600_000);
  const url = await container.generateSasUrl({ expiresOn, permissions: ContainerSASPermissions.parse(permissions) });
  return new ContainerClient(url, undefined, { retryOptions });
}

/** The same container, behind a wire. */
export async function wired(container: ContainerClient): Promise<{ wire: Wire; container: ContainerClient }> {
  const wire = await wireTo(new URL(service().url));
  return { wire, container: serviceAt(wire.url).getContainerClient(container.containerName) };
}
