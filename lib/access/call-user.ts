import type { ExecutionContext } from '@nestjs/common';
import type { Actor } from '../files/actor.js';

/** What guards and middleware leave a user on. */
interface Holder {
  readonly user?: { readonly id?: string | number | bigint | null } | null;
}

interface GraphqlContext extends Holder {
  readonly req?: Holder & { readonly extra?: Holder };
}

interface SocketClient extends Holder {
  /** socket.io: https://socket.io/docs/v4/server-socket-instance/ */
  readonly data?: Holder;
  readonly handshake?: Holder;
  readonly request?: Holder;
}

/**
 * The actor that the application's guards left on the call, as `{ type: 'user', id: user.id }`; `null` without a user that has an id.
 * Looks only where the server writes, never into what the client or a peer sent.
 */
export function callUser(context: ExecutionContext): Actor | null {
  for (const holder of holders(context)) {
    const id = holder?.user?.id;
    if (id != null) return { type: 'user', id: String(id) };
  }
  return null;
}

function holders(context: ExecutionContext): readonly (Holder | null | undefined)[] {
  switch (context.getType<string>()) {
    case 'http':
      return [context.switchToHttp().getRequest<Holder>()];
    case 'graphql': {
      const graphql = context.getArgByIndex<GraphqlContext | undefined>(2);
      // Over graphql-ws, `extra` is what `onConnect` writes to: https://the-guild.dev/graphql/ws/recipes
      return [graphql?.req, graphql?.req?.extra, graphql];
    }
    case 'rpc':
      return [context.switchToRpc().getContext<Holder>()];
    case 'ws': {
      const client = context.switchToWs().getClient<SocketClient>();
      return [client, client.data, client.handshake, client.request];
    }
    default:
      return [];
  }
}
