import { describe } from 'vitest';
import { azureStorage } from 'nestjs-files/storage/azure';
import { describeTus } from '../support/tus-suite.js';
import { AZURE, namesIn, newContainer } from './server.js';

const BLOCK = 4 * 1024 * 1024;

describe.skipIf(!AZURE)('Azure', () => {
  describeTus('a container', BLOCK, async () => {
    const container = await newContainer();
    return { storage: azureStorage({ container }), left: () => namesIn(container) };
  });
});
