import type { DataSource, QueryRunner } from 'typeorm';
import { beforeEach, describe, expect, it } from 'vitest';
import { skipIdleBroadcasts } from '../../../lib/unit-of-work/typeorm/runner-facade.js';

type Broadcaster = QueryRunner['broadcaster'];
type Broadcast = (...event: unknown[]) => Promise<void>;

describe('events of a query runner', () => {
  let heard: unknown[][];
  let broadcaster: Broadcaster;
  let subscribers: object[];
  let broadcast: Broadcast;

  beforeEach(() => {
    heard = [];
    subscribers = [];
    broadcaster = {
      broadcast: (...event: unknown[]) => Promise.resolve(void heard.push(event)),
    } as unknown as Broadcaster;
    skipIdleBroadcasts(broadcaster, { subscribers } as DataSource);
    broadcast = broadcaster.broadcast as unknown as Broadcast;
  });

  const events = ['BeforeQuery', 'AfterTransactionStart', 'BeforeTransactionCommit', 'AfterTransactionRollback'];

  it('that subscribers alone hear of are told nobody where none listens', async () => {
    subscribers.push({ beforeInsert: () => undefined });
    for (const event of events) await broadcast(event, 'SELECT 1');
    expect(heard).toEqual([]);
  });

  it('are told all where one of them listens, from when on it does', async () => {
    await broadcast('BeforeQuery', 'SELECT 1', []);
    subscribers.push({}, { beforeQuery: () => undefined }, { afterTransactionRollback: () => undefined });
    for (const event of events) await broadcast(event, 'SELECT 1', []);
    expect(heard).toEqual([
      ['BeforeQuery', 'SELECT 1', []],
      ['AfterTransactionRollback', 'SELECT 1', []],
    ]);
  });

  it('of other kinds are told, whoever listens', async () => {
    await broadcast('BeforeInsert', {});
    expect(heard).toEqual([['BeforeInsert', {}]]);
  });

  it('are looked at once, however often that is asked for', () => {
    const { broadcast: once } = broadcaster;
    expect(skipIdleBroadcasts(broadcaster, { subscribers } as DataSource)).toBe(broadcaster);
    expect(broadcaster.broadcast).toBe(once);
  });
});
