import type { ArgumentsHost } from '@nestjs/common';
import type { FilesError } from '../../errors/files-error.js';

interface SocketClient {
  /** Only clients of ws have one. Their `emit` reaches nobody. */
  readonly readyState?: number;
  send(text: string): void;
  emit(event: string, data: unknown): void;
}

/** Sends the client of a gateway the event `exception`, as Nest does for a `WsException`, with the error's code. */
export function sendException(error: FilesError, host: ArgumentsHost): void {
  const call = host.switchToWs();
  const cause = { pattern: call.getPattern(), data: call.getData<unknown>() };
  const data = { status: 'error', code: error.code, message: error.publicMessage, cause };
  const client = call.getClient<SocketClient>();
  if (client.readyState === undefined) client.emit('exception', data);
  else client.send(JSON.stringify({ event: 'exception', data }));
}
