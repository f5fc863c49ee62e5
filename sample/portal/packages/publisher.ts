import { Injectable } from '@nestjs/common';
import { TaskQueue, WithTaskQueue } from 'nestjs-files';
import { ActivityService } from '../activity/activity.service.js';
import { NoticeBoard } from '../activity/notice-board.js';
import type { User } from '../users/user.entity.js';
import type { Package } from './package.entity.js';
import { PackagesService } from './packages.service.js';

/**
 * A task queue without files: work that belongs to the save is a task, and work that cannot be undone waits for the
 * commit.
 */
@Injectable()
export class Publisher {
  constructor(
    private readonly packages: PackagesService,
    private readonly activity: ActivityService,
    private readonly notices: NoticeBoard,
    private readonly queue: TaskQueue,
  ) {}

  /** Makes a package public. */
  @WithTaskQueue()
  async publish(id: string, user: User): Promise<Package> {
    // A task gets the method's result; if it fails, the package stays as it was.
    this.queue.add((pkg: Package) =>
      this.activity.record({
        action: 'published',
        packageId: pkg.id,
        packageTitle: pkg.title,
        userName: user.name,
      }),
    );
    this.queue.afterCommit(() => this.notices.post(`${user.fullName} has published package ${id}.`));
    return this.packages.update(id, { visibility: 'public' }, user);
  }
}
