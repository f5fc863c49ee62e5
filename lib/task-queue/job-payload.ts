import { JobPayloadInvalidError } from '../errors/jobs.errors.js';
import { findJsonFault } from './json-value.js';

/** Bytes of JSON that a payload may have. */
const MAX_BYTES = 65_536;

/** Throws `JobPayloadInvalidError` for a value that JSON would change, and for one that is too large. */
export function assertPayload(job: string, payload: unknown): void {
  const fault = findJsonFault(payload, 'payload');
  if (fault) throw new JobPayloadInvalidError(job, fault.place, fault.what, fault.remedy);
  const size = Buffer.byteLength(JSON.stringify(payload));
  if (size > MAX_BYTES) {
    const remedy = `Queue the id of a record that has it. At most ${MAX_BYTES} bytes are taken`;
    throw new JobPayloadInvalidError(job, 'payload', `has ${size} bytes of JSON`, remedy);
  }
}
