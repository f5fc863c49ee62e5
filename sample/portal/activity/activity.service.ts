import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Activity } from './activity.entity.js';

@Injectable()
export class ActivityService {
  constructor(@InjectRepository(Activity) private readonly activities: Repository<Activity>) {}

  record(activity: Pick<Activity, 'action' | 'packageId' | 'packageTitle' | 'userName'>): Promise<Activity> {
    return this.activities.save(this.activities.create(activity));
  }

  /** The newest first. */
  latest(count: number): Promise<Activity[]> {
    return this.activities.find({ order: { at: 'DESC' }, take: count });
  }
}
