import { Logger } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { idText } from '../actor/actor.js';
import type { Actor } from '../actor/actor.js';

/** The objects on which guards and middleware leave the user. */
interface Holder {
  readonly user?: { readonly id?: unknown } | null;
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
 * The actor that the application's guards left on the call, as `{ type: 'user', id: user.id }`; `null` without a user
 * that has an id. Looks only where the server writes, never into what the client or a peer sent.
 */
export function callUser(context: ExecutionContext): Actor | null {
  const users = holders(context)
    .map((holder) => holder?.user)
    .filter((user) => typeof user === 'object' && user !== null);
  for (const user of users) {
    const id = idText(user.id);
    if (id !== undefined) return { type: 'user', id };
  }
  if (users[0] !== undefined) warnOnce(users[0]);
  return null;
}

let hasWarned = false;

function warnOnce(user: object): void {
  if (hasWarned) return;
  hasWarned = true;
  new Logger('FilesModule').warn(
    `A call has a user without an id, { ${Object.keys(user).join(', ')} }, and counts as anonymous. Say in the option "actor" of FilesModule ` +
      "who acts: (context) => ({ type: 'user', id: context.switchToHttp().getRequest().user.sub }).",
  );
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
