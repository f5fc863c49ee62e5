import { Body, Controller, HttpCode, Ip, Post, UnauthorizedException } from '@nestjs/common';
import type { User } from '../users/user.entity.js';
import { LogInDto } from './log-in.dto.js';
import { SessionsService } from './sessions.service.js';

@Controller('login')
export class LoginController {
  constructor(private readonly sessions: SessionsService) {}

  @Post()
  @HttpCode(200)
  async logIn(@Body() dto: LogInDto, @Ip() from: string): Promise<{ token: string; user: User }> {
    const session = await this.sessions.open(dto, from);
    if (!session) throw new UnauthorizedException('Wrong name or password.');
    return session;
  }
}
