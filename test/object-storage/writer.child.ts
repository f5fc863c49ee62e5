import { Readable } from 'node:stream';
import { s3Storage } from '../../lib/storage/adapters/s3.storage.js';
import type { S3StorageOptions } from '../../lib/storage/adapters/s3.storage.js';

// Writes a file of so many bytes to the location "file", as a process that can be killed: writer.child.js OPTIONS SIZE
const [options = '', size = ''] = process.argv.slice(2);
const storage = s3Storage(JSON.parse(options) as S3StorageOptions);
await storage.write('file', Readable.from([Buffer.alloc(Number(size))]));
