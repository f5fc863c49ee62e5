import { Injectable } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { User } from './user.entity.js';
import { UsersService } from './users.service.js';

/** For trying the portal out. An application with anything to lose has no passwords in its source. */
export const DEMO_ACCOUNTS = [
  { name: 'alice', fullName: 'Alice Liddell', password: 'through-the-looking-glass' },
  { name: 'bob', fullName: 'Bob Cratchit', password: 'a-christmas-carol' },
  { name: 'mary', fullName: 'Mary Bennet', password: 'pride-and-prejudice', isManager: true },
];

/** Makes the accounts in a new database. */
@Injectable()
export class DemoAccounts implements OnApplicationBootstrap {
  constructor(
    private readonly service: UsersService,
    @InjectRepository(User) private readonly users: Repository<User>,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if ((await this.users.count()) > 0) return;
    for (const { isManager = false, ...account } of DEMO_ACCOUNTS) {
      const { id } = await this.service.create(account);
      // No request can make a manager, so no DTO has the field.
      await this.users.update({ id }, { isManager });
    }
  }
}
