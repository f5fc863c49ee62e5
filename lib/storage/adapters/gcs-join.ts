import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { inChunks } from '../../unit-of-work/typeorm/send-sql.js';
import type { GcsBucket, GcsSource } from './gcs-bucket.js';

// Google composes no more at once.
const AT_ONCE = 32;
const ATTEMPTS = 5;
// Milliseconds.
const PAUSE = 100;

/**
 * Makes the object at `to` of the sources, if it is not there, and removes all that is below `directory`, where the
 * sources are. Several calls at once are one object. It fails where a source has changed.
 */
export async function publishJoined(
  bucket: GcsBucket,
  { sources, to, directory }: { sources: readonly GcsSource[]; to: string; directory: string },
): Promise<void> {
  for (let attempt = 1; !(await bucket.stat(to)); attempt++) {
    try {
      await join(bucket, { sources, to, directory });
    } catch (error) {
      // Where several calls do this at once, the first one that is ready removes the sources of the others. These find
      // its object then.
      if (attempt === ATTEMPTS) throw error;
      await delay(attempt * PAUSE);
    }
  }
  await bucket.removeBelow(directory);
}

/** More than 32 are joined in groups first, and these again. */
async function join(
  bucket: GcsBucket,
  { sources, to, directory }: { sources: readonly GcsSource[]; to: string; directory: string },
): Promise<void> {
  let all = sources;
  while (all.length > AT_ONCE) {
    const groups: GcsSource[] = [];
    for (const some of inChunks(all, AT_ONCE)) groups.push(await joined(bucket, some, `${directory}${randomUUID()}`));
    all = groups;
  }
  await bucket.create(to, async (creation) => {
    if (all.length === 0) await bucket.put(to, Buffer.alloc(0), creation);
    else await bucket.compose(all, to, creation);
  });
}

async function joined(bucket: GcsBucket, sources: readonly GcsSource[], location: string): Promise<GcsSource> {
  await bucket.create(location, (creation) => bucket.compose(sources, location, creation));
  const found = await bucket.stat(location);
  if (!found) throw new Error(`the object at "${location}" was removed`);
  return { location, generation: found.generation };
}
