import type { DiscoveryService } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { EventPattern, MessagePattern, Transport } from '@nestjs/microservices';
import { expect, it } from 'vitest';
import { EventHandlers } from '../../../lib/task-queue/event-handlers.js';

class Orders {
  @EventPattern('placed', Transport.REDIS)
  placed(_event: unknown): void {}

  @EventPattern({ of: 'order', is: 'paid' })
  paid(_event: unknown): void {}

  @EventPattern('sent')
  sent(_event: unknown): void {}

  @MessagePattern('count')
  count(): void {}
}

class Mails {
  @EventPattern('placed', Transport.KAFKA)
  placed(_event: unknown): void {}

  @EventPattern({ is: 'paid', of: 'order' }, Transport.TCP)
  paid(_event: unknown): void {}

  @MessagePattern('count')
  count(): void {}
}

it('finds the handlers of one event that are on one transport, or on all', () => {
  const getControllers = () => [{ metatype: Orders }, { metatype: Mails }];
  const handlers = new EventHandlers({ getControllers } as unknown as DiscoveryService, new MetadataScanner());
  const { placed, paid, sent, count } = Orders.prototype;
  expect([paid, placed, sent, count].map((handler) => handlers.isShared(handler))).toEqual([true, false, false, false]);
});
