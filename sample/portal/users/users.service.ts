import { ForbiddenException, Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import { CredentialsService } from '../auth/credentials.service.js';
import { LogInThrottle } from '../auth/log-in-throttle.js';
import { SessionsService } from '../auth/sessions.service.js';
import type { CreateUserDto } from './create-user.dto.js';
import type { UpdateUserDto } from './update-user.dto.js';
import { User } from './user.entity.js';

@Injectable()
export class UsersService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly credentials: CredentialsService,
    private readonly sessions: SessionsService,
    private readonly throttle: LogInThrottle,
  ) {}

  list(): Promise<User[]> {
    return this.users.find({ order: { name: 'ASC' } });
  }

  async show(id: string): Promise<User> {
    const user = await this.users.findOneBy({ id });
    if (!user) throw new NotFoundException(`There is no user ${id}.`);
    return user;
  }

  async create({ password, ...rest }: CreateUserDto): Promise<User> {
    const user = await this.users.save(this.users.create(rest));
    await this.credentials.set(user.id, password);
    return user;
  }

  /** Users change only themselves. */
  async update(id: string, { password, currentPassword = '', ...rest }: UpdateUserDto, actor: User): Promise<User> {
    if (id !== actor.id) throw new ForbiddenException('You may change only your own account.');
    if (password !== undefined) await this.#assertPassword(actor, currentPassword);
    const user = await this.users.save(this.users.merge(await this.show(id), rest));
    if (password !== undefined) {
      await this.credentials.set(id, password);
      // This session, too: the user knows the new password.
      await this.sessions.closeAll(id);
    }
    return user;
  }

  /** May be guessed as often as at the log-in, and no more. */
  async #assertPassword({ id, name }: User, password: string): Promise<void> {
    this.throttle.begin(name, 'a session');
    if (!(await this.credentials.isRight(id, password))) throw new ForbiddenException('The current password is wrong.');
    this.throttle.succeed(name, 'a session');
  }

  /** The names of the users that exist, by id. */
  async namesOf(ids: readonly string[]): Promise<Map<string, string>> {
    const users = await this.users.findBy({ id: In([...new Set(ids)]) });
    return new Map(users.map(({ id, name }) => [id, name]));
  }
}
