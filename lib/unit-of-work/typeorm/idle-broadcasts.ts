import type { DataSource, EntitySubscriberInterface, QueryRunner } from 'typeorm';

type Broadcaster = QueryRunner['broadcaster'];
type Listener = keyof EntitySubscriberInterface;

/** The events that subscribers alone hear of, and the method by which they do. */
const LISTENERS = new Map<string, Listener>([
  ['BeforeQuery', 'beforeQuery'],
  ['BeforeTransactionStart', 'beforeTransactionStart'],
  ['AfterTransactionStart', 'afterTransactionStart'],
  ['BeforeTransactionCommit', 'beforeTransactionCommit'],
  ['AfterTransactionCommit', 'afterTransactionCommit'],
  ['BeforeTransactionRollback', 'beforeTransactionRollback'],
  ['AfterTransactionRollback', 'afterTransactionRollback'],
]);
const NOTHING = Promise.resolve();
const done = new WeakSet<Broadcaster>();

/** Tells nobody where nobody listens: TypeORM makes several promises for each event of each statement all the same. */
export function skipIdleBroadcasts(broadcaster: Broadcaster, dataSource: DataSource): Broadcaster {
  if (done.has(broadcaster)) return broadcaster;
  done.add(broadcaster);
  const broadcast = broadcaster.broadcast.bind(broadcaster) as (...event: unknown[]) => Promise<void>;
  broadcaster.broadcast = (event: string, ...rest: unknown[]) => {
    const listener = LISTENERS.get(event);
    const isHeard = listener === undefined || dataSource.subscribers.some((subscriber) => subscriber[listener]);
    return isHeard ? broadcast(event, ...rest) : NOTHING;
  };
  return broadcaster;
}
