import { Controller, Get } from '@nestjs/common';
import type { Activity } from './activity.entity.js';
import { ActivityService } from './activity.service.js';
import { NoticeBoard } from './notice-board.js';

const SHOWN = 50;

@Controller()
export class ActivityController {
  constructor(
    private readonly activities: ActivityService,
    private readonly notices: NoticeBoard,
  ) {}

  @Get('activity')
  activity(): Promise<Activity[]> {
    return this.activities.latest(SHOWN);
  }

  @Get('notices')
  board(): readonly string[] {
    return this.notices.list();
  }
}
