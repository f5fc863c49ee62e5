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

  it('are skipped when only subscribers hear of them and none listens', async () => {
    subscribers.push({ beforeInsert: () => undefined });
    for (const event of events) await broadcast(event, 'SELECT 1');
    expect(heard).toEqual([]);
  });

  it('reach all subscribers from the moment one of them listens', async () => {
    await broadcast('BeforeQuery', 'SELECT 1', []);
    subscribers.push({}, { beforeQuery: () => undefined }, { afterTransactionRollback: () => undefined });
    for (const event of events) await broadcast(event, 'SELECT 1', []);
    expect(heard).toEqual([
      ['BeforeQuery', 'SELECT 1', []],
      ['AfterTransactionRollback', 'SELECT 1', []],
    ]);
  });

  it('are sent for other kinds, whoever listens', async () => {
    await broadcast('BeforeInsert', {});
    expect(heard).toEqual([['BeforeInsert', {}]]);
  });

  it('are wrapped once, however often that is asked for', () => {
    const { broadcast: once } = broadcaster;
    expect(skipIdleBroadcasts(broadcaster, { subscribers } as DataSource)).toBe(broadcaster);
    expect(broadcaster.broadcast).toBe(once);
  });
});
