import { describe } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';
import { describeTus } from '../support/tus-suite.js';
import { AZURE, newContainer } from './server.js';

const BLOCK = 4 * 1024 * 1024;

describe.skipIf(!AZURE)('Azure', () => {
  describeTus('a container', BLOCK, async () => {
    const container = await newContainer();
    const left = async () => {
      const names: string[] = [];
      for await (const { name } of container.listBlobsFlat({ includeUncommitedBlobs: true })) names.push(name);
      return names.filter((name) => name !== '.nestjs-files/mark');
    };
    return { storage: azureStorage({ container }), left };
  });
});
