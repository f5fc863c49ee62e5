import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { FilesAudit } from '../../../lib/entry/maintenance.js';
import type { AuditFinding } from '../../../lib/entry/maintenance.js';
import { compileModule } from '../../support/compiled-module.js';
import { reachableDatabases } from '../../support/databases.js';
import type { TestDatabase } from '../../support/databases.js';
import { examplesNotRun } from '../../support/doc-examples.js';
import { guardedApp } from '../../support/guarded-app.js';
import type { GuardedApp } from '../../support/guarded-app.js';
import { Room } from '../../support/guarded-entities.js';
import { updatePast } from '../../support/past-the-guard.js';

const run = promisify(execFile);
const SCRIPT = new URL('./script.child.ts', import.meta.url);
const [file] = (await reachableDatabases('file')) as [TestDatabase];
let app: GuardedApp;
let audit: FilesAudit;

beforeAll(async () => {
  app = await guardedApp({ database: file });
  audit = app.app.get(FilesAudit);
});
afterAll(() => app.close());

it('runs every example of docs/audit.md', async () => {
  expect(await examplesNotRun('audit.md', import.meta.url, SCRIPT.href)).toEqual([]);
});

it('audits as docs/audit.md says', async () => {
  await app.dataSource.getRepository(Room).insert({ id: 'attic' });
  const [plan, kept] = [await app.upload(), await app.fileOf('room', 'attic')];
  await updatePast(app.dataSource, Room, { id: 'attic' }, { planId: plan });
  const lines: string[] = [];
  const reports: AuditFinding[] = [];
  const console = { log: (line: string) => lines.push(line) };
  const report = (finding: AuditFinding) => reports.push(finding);

  for await (const finding of audit.run()) {
    if (finding.kind === 'foreign-file')
      console.log(`${finding.record.entity}.${finding.field} names ${finding.fileId}`);
  }
  for await (const finding of audit.run({ since: new Date(Date.now() - 86_400_000) })) report(finding);
  const strays: AuditFinding[] = [];
  for await (const finding of audit.run()) {
    if (finding.kind === 'unnamed-file' && finding.mayBeKept) continue;
    strays.push(finding);
  }

  expect(lines).toEqual([`Room.planId names ${plan}`]);
  expect(reports.map(({ kind }) => kind)).toEqual(['foreign-file', 'unnamed-file']);
  expect(reports[1]).toMatchObject({ fileId: kept });
  expect(strays.map(({ kind }) => kind)).toEqual(['foreign-file']);
});

it('prints findings as lines of JSON, and exits with 1 only if there are any', { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'audit-script-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const script = await compileModule(fileURLToPath(SCRIPT), directory);
  const { options, drop } = await file.create();
  onTestFinished(drop);
  const other = await guardedApp({
    database: { ...file, create: () => Promise.resolve({ options, drop: async () => {} }) },
  });
  onTestFinished(() => other.close());
  const audited = () => run(process.execPath, [script, String(options.database)]);

  await expect(audited()).resolves.toMatchObject({ stdout: '' });
  const lost = randomUUID();
  await other.dataSource.getRepository(Room).insert([{ id: 'attic' }, { id: 'hall' }]);
  await updatePast(other.dataSource, Room, {}, { planId: lost });
  const failure = (await audited().catch((error: unknown) => error)) as { code: number; stdout: string };

  expect(failure.code).toBe(1);
  const lines = failure.stdout.trim().split('\n');
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { kind: 'missing-file', record: { entity: 'Room', key: { id: 'attic' } }, fileId: lost },
    { kind: 'missing-file', record: { entity: 'Room', key: { id: 'hall' } }, fileId: lost },
  ]);
});
