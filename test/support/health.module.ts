import { Controller, Get, Module } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, TypeOrmHealthIndicator } from '@nestjs/terminus';
import { FilesHealthIndicator } from 'nestjs-files/health';

/** The health checks of docs/deploying.md. */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly database: TypeOrmHealthIndicator,
    private readonly files: FilesHealthIndicator,
  ) {}

  @Get('live')
  live() {
    return { status: 'ok' }; // the process answers
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.database.pingCheck('database', { timeout: 2_000 })]);
  }

  @Get('files')
  @HealthCheck()
  everything() {
    return this.health.check([() => this.files.check({ timeout: 2_000 })]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ gracefulShutdownTimeoutMs: 5_000 })],
  controllers: [HealthController],
  providers: [FilesHealthIndicator],
})
export class HealthModule {}
