import { describe, it } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';
import { describeStorage } from 'nestjs-files/testing';
import { AZURE, newContainer, withSas } from './server.js';

describe.skipIf(!AZURE)('Azure Blob Storage', () => {
  describeStorage(
    'a container of its own',
    async (limits) => {
      const container = await newContainer();
      return azureStorage({ container, publicBaseUrl: container.url, ...limits });
    },
    { describe, it },
  );

  describeStorage(
    'a prefix, with a SAS',
    async (limits) => {
      const container = await newContainer();
      const neighbour = container.getBlockBlobClient('apple/pie');
      await neighbour.upload('pie', 3);
      return azureStorage({ container: await withSas(container), prefix: 'app/', ...limits });
    },
    { describe, it },
  );
});
