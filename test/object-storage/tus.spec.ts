import { describeTus } from '../support/tus-suite.js';
import { s3Proxy, withoutConditions } from '../support/s3-proxy.js';
import { newS3Storage, s3Config } from '../support/s3-server.js';

const PART = 5 * 1024 * 1024;

/** Both kinds of server: one that heeds conditions, and one that knows none. */
const SERVERS = {
  'with conditional writes': async () => newS3Storage({ partSize: PART }),
  'without conditional writes': async () => {
    const { endpoint } = await s3Proxy(withoutConditions);
    return newS3Storage({ partSize: PART, client: { ...s3Config(), endpoint }, conditionalWrites: false });
  },
};

for (const [name, newStorage] of Object.entries(SERVERS))
  describeTus(`a server ${name}`, PART, async () => {
    const { storage, inside } = await newStorage();
    const left = async () =>
      [...(await inside.keys()), ...(await inside.uploads())].filter((key) => key !== '.nestjs-files/mark');
    return { storage, left };
  });
