import type { ExecutionContext } from '@nestjs/common';

interface HttpRequest {
  readonly raw?: HttpRequest;
  readonly socket?: { readonly destroyed?: boolean };
}

interface SocketClient {
  /** ws: https://developer.mozilla.org/docs/Web/API/WebSocket/readyState */
  readonly readyState?: number;
  /** socket.io */
  readonly connected?: boolean;
}

const OPEN = 1;

/** Whether the connection that the call came in through is closed; false where that cannot be seen. */
export function isClientGone(context: ExecutionContext): boolean {
  switch (context.getType<string>()) {
    case 'http':
      return isHttpClosed(context.switchToHttp().getRequest());
    case 'graphql':
      return isHttpClosed(context.getArgByIndex<{ req?: HttpRequest } | undefined>(2)?.req);
    case 'ws': {
      const { readyState, connected } = context.switchToWs().getClient<SocketClient>();
      return connected === false || (readyState !== undefined && readyState !== OPEN);
    }
    default:
      return false;
  }
}

function isHttpClosed(request: HttpRequest | undefined): boolean {
  return (request?.raw ?? request)?.socket?.destroyed === true;
}
