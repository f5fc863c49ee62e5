import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';

interface Saved {
  readonly title: string;
  readonly items: readonly { readonly id: number; readonly name: string; readonly fileId: string }[];
}

/** Starts test/package/consumer/application, however it was built, and gives its address. */
function startApplication(script: string): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'nestjs-files-application-'));
  const child = spawn(process.execPath, [script], { env: { ...process.env, FILES_ROOT: root } });
  onTestFinished(() => {
    child.kill();
    rmSync(root, { recursive: true, force: true });
  });
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const port = /^\d+$/m.exec(output)?.[0];
      if (port && output.includes(`${port}\n`)) resolve(`http://127.0.0.1:${port}`);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', () => reject(new Error(`${script} ended: ${output}`)));
  });
}

/** What has to hold of the application: uploads, attached files, a failing handler, and a nested form. */
export async function useApplication(script: string): Promise<void> {
  const url = await startApplication(script);
  const post = async (path: string, body: object): Promise<{ status: number; body: Saved }> => {
    const isForm = body instanceof FormData;
    const response = await fetch(url + path, {
      method: 'POST',
      body: isForm ? body : JSON.stringify(body),
      ...(!isForm && { headers: { 'content-type': 'application/json' } }),
    });
    return { status: response.status, body: (await response.json()) as Saved };
  };
  const read = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
  const form = (fields: Record<string, string | Blob>): FormData => {
    const data = new FormData();
    for (const [name, value] of Object.entries(fields)) data.append(name, value);
    return data;
  };
  const text = (content: string): File => new File([content], `${content}.txt`);

  const { status, body } = await post('/files', form({ file: text('uploaded') }));
  expect(status).toBe(201);
  const { id } = body as unknown as { id: string };
  const order = (title: string): object => ({ title, items: [{ name: 'first', fileId: id }] });

  expect((await post('/orders/failing/now', order('undone'))).status).toBe(500);
  expect(await read(`/files/${id}`)).toMatchObject({ ownerType: 'user', ownerId: 'ada', pinned: false });
  expect(await read('/orders/count')).toBe(0);

  const saved = await post('/orders', order('attached'));
  expect(saved).toMatchObject({ status: 201, body: { title: 'attached', items: [{ name: 'first', fileId: id }] } });
  expect(await read(`/files/${id}`)).toMatchObject({ ownerType: 'item', ownerId: `${saved.body.items[0]!.id}` });

  const sent = await post(
    '/orders/form',
    form({
      title: 'sent',
      'items[0][name]': 'one',
      'items[0][fileId]': text('one'),
      'items[1][name]': 'two',
      'items[1][fileId]': text('two'),
    }),
  );
  expect(sent).toMatchObject({ status: 201, body: { title: 'sent', items: [{ name: 'one' }, { name: 'two' }] } });
  for (const item of sent.body.items) {
    expect(await read(`/files/${item.fileId}`)).toMatchObject({
      name: `${item.name}.txt`,
      ownerType: 'item',
      ownerId: `${item.id}`,
    });
    expect(await (await fetch(`${url}/files/${item.fileId}/content`)).text()).toBe(item.name);
  }
}
