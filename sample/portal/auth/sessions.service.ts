import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, MoreThan, Repository } from 'typeorm';
import { User } from '../users/user.entity.js';
import { CredentialsService } from './credentials.service.js';
import type { LogInDto } from './log-in.dto.js';
import { LogInThrottle } from './log-in-throttle.js';
import { Session } from './session.entity.js';

const EIGHT_HOURS = 8 * 60 * 60 * 1000;

@Injectable()
export class SessionsService {
  constructor(
    @InjectRepository(Session) private readonly sessions: Repository<Session>,
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly credentials: CredentialsService,
    private readonly throttle: LogInThrottle,
  ) {}

  /** A token for the user of this name; `null` if the password is not theirs. `from` is the address of the client. */
  async open({ name, password }: LogInDto, from: string): Promise<{ token: string; user: User } | null> {
    this.throttle.begin(name, from);
    const user = await this.users.findOneBy({ name });
    if (!(await this.credentials.isRight(user?.id, password)) || !user) return null;
    this.throttle.succeed(name, from);
    const token = randomBytes(32).toString('base64url');
    const now = Date.now();
    await this.sessions.delete({ expiresAt: LessThan(new Date(now)) });
    await this.sessions.insert({ tokenHash: hash(token), userId: user.id, expiresAt: new Date(now + EIGHT_HOURS) });
    return { token, user };
  }

  async close(token: string): Promise<void> {
    await this.sessions.delete({ tokenHash: hash(token) });
  }

  /** Ends all sessions of a user. */
  async closeAll(userId: string): Promise<void> {
    await this.sessions.delete({ userId });
  }

  /** Whose token this is; `null` for one that is unknown or has expired. */
  async userOf(token: string): Promise<User | null> {
    const session = await this.sessions.findOneBy({ tokenHash: hash(token), expiresAt: MoreThan(new Date()) });
    return session && this.users.findOneBy({ id: session.userId });
  }
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
