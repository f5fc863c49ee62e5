import { once } from 'node:events';
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { UsePipes, ValidationPipe } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { describe, expect, it } from 'vitest';
import { WithTaskQueue } from '../../../lib/task-queue/with-task-queue.decorator.js';
import { TransferOwnership } from '../../../lib/validation/file-constraints.js';
import { ownershipApp } from '../../support/ownership-app.js';
import { fileById, insertFile } from '../../support/ownership-databases.js';

// The client comes with the adapter.
const { WebSocket } = createRequire(fileURLToPath(import.meta.resolve('@nestjs/platform-ws')))('ws') as {
  WebSocket: new (url: string) => EventEmitter & { send(text: string): void; close(): void };
};

class PackageDto {
  @TransferOwnership('package') attachmentId!: string;
}

@WebSocketGateway()
@UsePipes(new ValidationPipe({ transform: true }))
class PackagesGateway {
  @SubscribeMessage('create')
  @WithTaskQueue()
  create(@MessageBody() dto: PackageDto) {
    return { event: 'created', data: { id: 7, ...dto } };
  }
}

describe('a gateway', () => {
  it('resolves owners in the data that it returns', async () => {
    const app = await ownershipApp({ providers: [PackagesGateway], adapter: (nest) => new WsAdapter(nest) });
    const id = await insertFile(app.dataSource, { ownerType: 'user', ownerId: 'ada' });
    const client = new WebSocket((await app.app.getUrl()).replace('http', 'ws'));
    await once(client, 'open');
    const answer = once(client, 'message');
    client.send(JSON.stringify({ event: 'create', data: { attachmentId: id } }));
    expect(JSON.parse(String((await answer)[0]))).toEqual({ event: 'created', data: { id: 7, attachmentId: id } });
    expect(await fileById(app.dataSource, id)).toMatchObject({ ownerType: 'package', ownerId: '7', pinned: true });
    client.close();
    await once(client, 'close');
    await app.close();
  });
});
