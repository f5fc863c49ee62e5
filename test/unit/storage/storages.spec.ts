import { join } from 'node:path';
import { describe, it } from 'vitest';
import { fsStorage } from 'nestjs-files/storage/fs';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { describeStorage, faultyStorage } from 'nestjs-files/testing';
import { newDirectory } from '../../support/files-directory.js';

const framework = { describe, it };

describeStorage('memory', (limits) => memoryStorage(limits), framework);
describeStorage('fs', (limits) => fsStorage({ root: join(newDirectory(), 'not/there/yet'), ...limits }), framework);
describeStorage(
  'fs without fsync',
  (limits) => fsStorage({ root: newDirectory(), fsync: false, ...limits }),
  framework,
);
describeStorage('faulty, without a fault', (limits) => faultyStorage(memoryStorage(limits)), framework);
