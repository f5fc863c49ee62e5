import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { FileJob, TaskQueue } from 'nestjs-files';
import { Column, DataSource, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import type { EntitySubscriberInterface, InsertEvent } from 'typeorm';
import { Package } from '../../sample/portal/packages/package.entity.js';
import { DraftsModule } from '../crash/portal/drafts.module.js';
import { HealthModule } from '../support/health.module.js';

/** A run of a job, written in the commit that ends the job. */
@Entity('replica_run')
export class ReplicaRun {
  @PrimaryGeneratedColumn() id!: number;
  @Column('uuid', { name: 'package_id' }) packageId!: string;
  @Column('int') process!: number;
}

/** Each package that is inserted queues a job, whatever becomes of its unit of work. */
@Injectable()
class PackageJobs implements EntitySubscriberInterface<Package> {
  constructor(
    dataSource: DataSource,
    private readonly queue: TaskQueue,
    @InjectRepository(ReplicaRun) private readonly runs: Repository<ReplicaRun>,
  ) {
    dataSource.subscribers.push(this);
  }

  listenTo(): typeof Package {
    return Package;
  }

  afterInsert({ entity }: InsertEvent<Package>): void {
    this.queue.enqueue('package-made', { packageId: entity.id });
  }

  @FileJob('package-made', { backoff: 50, attempts: 1_000 })
  async run({ packageId }: { packageId: string }): Promise<void> {
    await this.runs.insert({ packageId, process: process.pid });
    // Long enough to be killed in it.
    await delay(20);
  }
}

/** What the portal lacks: jobs, health checks, and fields that let go of their files. */
@Module({
  imports: [TypeOrmModule.forFeature([ReplicaRun]), DraftsModule, HealthModule],
  providers: [PackageJobs],
})
export class ReplicaModule {}
