import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { User } from '../users/user.entity.js';
import { Credential } from './credential.entity.js';
import { CredentialsService } from './credentials.service.js';
import { LoginController } from './login.controller.js';
import { LogInThrottle } from './log-in-throttle.js';
import { Session } from './session.entity.js';
import { SessionsService } from './sessions.service.js';
import { TokenGuard } from './token.guard.js';

@Module({
  imports: [TypeOrmModule.forFeature([User, Credential, Session])],
  controllers: [LoginController],
  providers: [CredentialsService, LogInThrottle, SessionsService, { provide: APP_GUARD, useClass: TokenGuard }],
  exports: [CredentialsService, LogInThrottle, SessionsService],
})
export class AuthModule {}
