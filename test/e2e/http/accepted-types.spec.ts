import { Body, Controller, Param, Patch, ValidationPipe } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { AcceptFileType, FileExists, WithTaskQueue } from '../../../lib/index.js';
import { fsStorage } from '../../../lib/storage/adapters/fs.storage.js';
import { newDirectory } from '../../support/files-directory.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import { DISGUISED, DOCX, HONEST } from '../../support/type-corpus.js';
import type { Sample } from '../../support/type-corpus.js';

const ACCEPTED = ['text/csv', 'text/markdown', 'application/pdf', DOCX];

class ReportDto {
  @FileExists() @AcceptFileType('text/csv') fileId!: string;
}

@Controller('reports')
class Reports {
  @Patch(':id') @WithTaskQueue() update(@Param('id') id: string, @Body() { fileId }: ReportDto) {
    return { id, fileId };
  }
}

/** As browsers send it; without a declared type they say `application/octet-stream`. */
function formOf({ name, declared = '', bytes }: Sample): FormData {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(bytes)], { type: declared }), name);
  return form;
}

describe.each(PLATFORMS)('`acceptedTypes` on %s', (platform) => {
  const start = () =>
    startApp({
      platform,
      options: { storages: { default: fsStorage({ root: newDirectory(), acceptedTypes: ACCEPTED, fsync: false }) } },
      controllers: [Reports],
      prepare: (app) => void app.useGlobalPipes(new ValidationPipe({ whitelist: true })),
    });

  it('take real files as clients send them, and so does @AcceptFileType()', async () => {
    const app = await start();
    const samples = HONEST.filter(({ type }) => ACCEPTED.includes(type));
    expect(samples.length).toBeGreaterThan(50);
    for (const sample of samples) {
      const answer = await app.fetch('/files', { method: 'POST', user: 'ada', body: formOf(sample) });
      const { id, contentType } = (await answer.json()) as { id: string; contentType: string };
      expect([sample.name, sample.declared, answer.status, contentType]).toEqual([
        sample.name,
        sample.declared,
        201,
        sample.type,
      ]);
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ fileId: id });
      const saved = await app.fetch('/reports/1', { method: 'PATCH', user: 'ada', headers, body });
      expect([sample.type, saved.status]).toEqual([sample.type, sample.type === 'text/csv' ? 200 : 400]);
    }
  });

  it('refuse active content and archives under every name and declared type', async () => {
    const app = await start();
    for (const sample of DISGUISED.filter((_, at) => at % 7 === 0)) {
      const answer = await app.fetch('/files', { method: 'POST', user: 'ada', body: formOf(sample) });
      expect([sample.name, sample.declared, answer.status]).toEqual([sample.name, sample.declared, 415]);
    }
  });
});
