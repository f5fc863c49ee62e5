import { rename } from 'node:fs/promises';
import { clamav } from 'nestjs-files/scan/clamav';
import { fsStorage } from 'nestjs-files/storage/fs';
import type { DataSourceOptions } from 'typeorm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startClamd } from '../../../scripts/clamd.mjs';
import { hasClamd } from '../../support/clamd.js';
import { newDirectory } from '../../support/files-directory.js';
import { HealthModule } from '../../support/health.module.js';
import { PLATFORMS, startApp } from '../../support/http-app.js';
import type { HttpApp } from '../../support/http-app.js';
import { privateServer } from '../../support/private-server.js';

type Details = Record<string, { status: string; message?: string; remedy?: string; oldestIntent?: unknown }>;

async function ask(app: HttpApp, path = '/health/files'): Promise<{ status: number; details: Details }> {
  const response = await app.fetch(path);
  const { details } = (await response.json()) as { details: Details };
  return { status: response.status, details };
}

const down = (message: string, remedy: string) => ({
  status: 'down',
  message: expect.stringContaining(message) as string,
  remedy: expect.stringContaining(remedy) as string,
});

describe.runIf(hasClamd()).each(PLATFORMS)('the health of files on %s', (platform) => {
  it('names each part that breaks, and leaves the process alive', async ({ skip }) => {
    const server = await privateServer();
    if (!server) return skip('there is no PostgreSQL of its own');
    let isStopped = false;
    const stop = async (): Promise<void> => {
      if (!isStopped) await server.stop();
      isStopped = true;
    };
    onTestFinished(stop);
    const clamd = await startClamd();
    onTestFinished(() => clamd.stop());
    const root = `${newDirectory()}/files`;
    const app = await startApp({
      platform,
      imports: [HealthModule],
      database: { type: 'postgres', url: server.url } as DataSourceOptions,
      options: { storages: { default: fsStorage({ root, scan: clamav({ socket: clamd.socket }) }) } },
    });
    const up = { status: 'up' };
    const healthy = { 'storage:default': up, 'scanner:default': up, jobs: up, intents: { ...up, oldestIntent: null } };

    expect(await ask(app)).toEqual({ status: 200, details: healthy });
    expect(await ask(app, '/health/ready')).toMatchObject({ status: 200 });

    await clamd.stop();
    const noScanner = { ...healthy, 'scanner:default': down('clamd.sock', 'takes connections') };
    expect(await ask(app)).toEqual({ status: 503, details: noScanner });

    await rename(root, `${root}-unmounted`);
    const noStorage = { ...noScanner, 'storage:default': down('Is it mounted?', 'storages --check') };
    expect(await ask(app)).toEqual({ status: 503, details: noStorage });
    await rename(`${root}-unmounted`, root);
    expect(await ask(app)).toEqual({ status: 503, details: noScanner });

    await stop();
    expect(await ask(app)).toEqual({
      status: 503,
      details: { ...noScanner, jobs: down('', 'server of the engine'), intents: down('', 'why sweeps fail') },
    });
    expect(await ask(app, '/health/ready')).toMatchObject({ status: 503, details: { database: { status: 'down' } } });
    expect(await ask(app, '/health/live')).toMatchObject({ status: 200 });
  });
});
