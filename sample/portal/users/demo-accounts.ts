import { Injectable } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { UsersService } from './users.service.js';

/** For trying the portal out. An application with anything to lose has no passwords in its source. */
export const DEMO_ACCOUNTS = [
  { name: 'alice', fullName: 'Alice Liddell', password: 'through-the-looking-glass' },
  { name: 'bob', fullName: 'Bob Cratchit', password: 'a-christmas-carol' },
];

/** Makes the accounts in a new database. */
@Injectable()
export class DemoAccounts implements OnApplicationBootstrap {
  constructor(private readonly users: UsersService) {}

  async onApplicationBootstrap(): Promise<void> {
    if ((await this.users.list()).length > 0) return;
    for (const account of DEMO_ACCOUNTS) await this.users.create(account);
  }
}
