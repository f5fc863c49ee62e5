import { BlobServiceClient, ContainerClient, newPipeline } from '@azure/storage-blob';
import { azureStorage } from 'nestjs-files/storage/azure';
import type { Storage } from 'nestjs-files/storage';
import type { Watch } from '../crash/s3-bytes.js';

export interface AzurePlace {
  /** A connection string. */
  account: string;
  container: string;
}

/** The storage of a container, whose requests somebody watches. */
export function watchedAzure({ account, container: name }: AzurePlace, watch: Watch): Storage {
  const service = BlobServiceClient.fromConnectionString(account);
  const pipeline = newPipeline(service.credential);
  // Inside of what repeats.
  pipeline.factories.push({
    create: (next) => ({ sendRequest: (request) => watch(request.method, () => next.sendRequest(request)) }),
  });
  return azureStorage({ container: new ContainerClient(service.getContainerClient(name).url, pipeline) });
}
