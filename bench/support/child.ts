import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { INestApplication } from '@nestjs/common';
import type { AddressInfo } from 'node:net';

export interface Child {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a module as a process of its own, which answers with `reportPort()`. */
export async function startChild(module: string, ...args: string[]): Promise<Child> {
  const child = fork(fileURLToPath(module), args, { env: { ...process.env, NODE_ENV: 'production' } });
  const exited = once(child, 'exit');
  const failed = exited.then(([code]) => {
    throw new Error(`${module} ${args.join(' ')} ended with ${String(code)} before it listened.`);
  });
  const [message] = (await Promise.race([once(child, 'message'), failed])) as [{ port: number }];
  failed.catch(() => undefined);
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
  };
  return { port: message.port, pid: child.pid!, stop };
}

/** Lets an application listen, and tells the parent where. */
export async function reportPort(app: INestApplication): Promise<void> {
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  process.send?.({ port });
}
