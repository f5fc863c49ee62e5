import { describe, expect, it } from 'vitest';
import { memoryStorage } from 'nestjs-files/storage/memory';
import { dateLocation, extensionLocation, uuidLocation } from '../../../lib/storage/location-transformer.js';

const input = {
  uuid: '01930000-0000-7000-8000-0000000000f1',
  name: '../Report.PDF',
  contentType: 'application/pdf',
  now: new Date('2026-11-23T23:59:59.999Z'),
};

describe('locationFor', () => {
  it('is built from the uuid and never from the name, unless told otherwise', () => {
    expect(memoryStorage().locationFor(input)).toBe(`f1/${input.uuid}`);
    expect(memoryStorage({ location: uuidLocation }).locationFor(input)).toBe(input.uuid);
    expect(memoryStorage({ location: extensionLocation }).locationFor(input)).toBe(`f1/${input.uuid}.pdf`);
    expect(memoryStorage({ location: dateLocation }).locationFor(input)).toBe(`2026/11/23/${input.uuid}`);
  });

  it('takes only a plain extension', () => {
    const storage = memoryStorage({ location: extensionLocation });
    for (const name of ['none', 'x.', 'x.a/b', 'x.документ', `x.${'a'.repeat(17)}`, 'x. pdf']) {
      expect(storage.locationFor({ ...input, name })).toBe(`f1/${input.uuid}`);
    }
  });

  it('refuses an invalid location from the application’s transformer', () => {
    const storage = memoryStorage({ location: ({ name }) => name });
    expect(() => storage.locationFor(input)).toThrow(expect.objectContaining({ code: 'FILES_LOCATION_INVALID' }));
  });
});
