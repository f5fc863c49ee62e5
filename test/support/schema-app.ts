import { Body, Controller, Inject, Post, Query } from '@nestjs/common';
import { fileExists, transferOwnership, withFiles, acceptFileType } from 'nestjs-files/schema';
import * as v from 'valibot';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { TaskQueue } from '../../lib/task-queue/task-queue.js';
import { WithTaskQueue } from '../../lib/task-queue/with-task-queue.decorator.js';
import { Package, Resource } from './ownership-app.js';

const rules = {
  attachmentId: [transferOwnership('package'), acceptFileType('pdf')],
  resources: { fileId: transferOwnership('resource') },
};

export const SavePackage = withFiles(
  z.object({
    id: z.number().optional(),
    title: z.string().trim(),
    attachmentId: z.string().nullish(),
    resources: z.array(z.object({ fileId: z.string() })).optional(),
  }),
  rules,
);

export const SavePackageToo = withFiles(
  v.object({
    id: v.optional(v.number()),
    title: v.pipe(v.string(), v.trim()),
    attachmentId: v.nullish(v.string()),
    resources: v.optional(v.array(v.object({ fileId: v.string() }))),
  }),
  rules,
);

const Bound = withFiles(z.object({ fileIds: z.array(z.string()) }), { fileIds: transferOwnership('package') });
const Owned = withFiles(z.object({ items: z.array(z.object({ name: z.string(), fileId: z.string() })) }), {
  items: {
    fileId: transferOwnership('resource', {
      owner: (result: { made: Map<string, number> }, dto: { name: string }) => result.made.get(dto.name),
    }),
  },
});
const Looked = withFiles(z.object({ fileId: z.string() }), { fileId: fileExists() });

interface Saved {
  id?: number | undefined;
  title: string;
  attachmentId?: string | null | undefined;
  resources?: { fileId: string }[] | undefined;
}

/** What a handler does before it saves. */
export const handler: { before: () => Promise<void>; after: () => void } = {
  before: async () => undefined,
  after: () => undefined,
};

/** Saves packages and their resources as schemas describe them. */
@Controller()
export class SchemaPackagesController {
  constructor(
    @Inject(DataSource) private readonly dataSource: DataSource,
    private readonly queue: TaskQueue,
  ) {}

  @Post('zod')
  @WithTaskQueue()
  zod(@Body({ schema: SavePackage }) dto: Saved) {
    return this.#save(dto);
  }

  @Post('valibot')
  @WithTaskQueue()
  valibot(@Body({ schema: SavePackageToo }) dto: Saved) {
    return this.#save(dto);
  }

  @Post('bound')
  @WithTaskQueue()
  async bound(@Body({ schema: Bound }) dto: { fileIds: string[] }) {
    const saved = await this.#save({ title: 'bound' });
    this.queue.bind(dto, saved);
    return { saved: [saved] };
  }

  @Post('owned')
  @WithTaskQueue()
  owned(@Body({ schema: Owned }) dto: { items: { name: string }[] }) {
    return { made: new Map(dto.items.map(({ name }, index) => [name, index + 70])) };
  }

  @Post('hidden')
  @WithTaskQueue()
  async hidden(@Body({ schema: SavePackage }) dto: Saved) {
    const { id } = await this.#save(dto);
    return { id, resources: [] };
  }

  @Post('undecorated')
  undecorated(@Body({ schema: SavePackage }) dto: Saved) {
    return this.#save(dto);
  }

  @Post('look')
  look(@Query({ schema: Looked }) query: { fileId: string }) {
    return query;
  }

  async #save({ resources, ...dto }: Saved): Promise<Package> {
    await handler.before();
    const packages = this.dataSource.getRepository(Package);
    const made = this.dataSource.getRepository(Resource).create(resources ?? []);
    const saved = await packages.save(packages.create({ ...dto, resources: made } as object) as Package);
    handler.after();
    return saved;
  }
}
