import { Transport } from '@nestjs/microservices';
import { listens } from '../../support/databases.js';
import { describeTransport } from '../../support/describe-transport.js';
import { microservice } from '../../support/message-handlers.js';

const url = new URL(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379');
const options = { host: url.hostname, port: Number(url.port || 6379), password: url.password || undefined };
const redis = { transport: Transport.REDIS, options } as const;

await describeTransport('a message handler over Redis', {
  ...microservice(redis, () => redis),
  skip: (await listens(url)) ? undefined : `Redis does not answer on ${url.host}: its tests are skipped`,
});
