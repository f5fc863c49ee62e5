import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { useApplication } from './support/application.js';
import { tool } from './support/run.js';

it('works in an application that is compiled to CommonJS', async () => {
  const application = join(inject('consumer'), 'application');
  const { code, output } = await tool('tsc', ['-p', application]);
  expect(code, output).toBe(0);
  await useApplication(join(application, 'dist/main.js'));
});
