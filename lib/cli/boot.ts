import { Logger, Module } from '@nestjs/common';
import type { INestApplicationContext, LoggerService, OnModuleInit, Type } from '@nestjs/common';
import { ModuleRef, NestApplicationContext, NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';

type Container = ConstructorParameters<typeof NestApplicationContext>[0];

/**
 * Boots the context of an application. If that fails, it closes what the application has opened before: Nest gives
 * nothing that could be closed then, and its connections, timers and jobs would keep the process alive.
 */
export async function bootContext(module: Type, logger: LoggerService): Promise<INestApplicationContext> {
  let container: Container | undefined;
  let hasInstances = false;

  @Module({})
  class CommandModule implements OnModuleInit {
    constructor(ref: ModuleRef) {
      container = ref['container'];
    }

    // The hooks of global modules are called first, and this is the first of them.
    onModuleInit(): void {
      hasInstances = true;
    }
  }

  try {
    const root = { module: CommandModule, global: true, imports: [module] };
    return await NestFactory.createApplicationContext(root, { logger, abortOnError: false });
  } catch (error) {
    if (container) await abandon(container, hasInstances);
    throw error;
  }
}

/** Never throws: whoever boots is told why that has failed. */
async function abandon(container: Container, hasInstances: boolean): Promise<void> {
  const told = (error: unknown): void =>
    Logger.warn(`What failed to start was not closed: ${String(error)}`, 'FilesCli');
  // Without its instances, an application has nothing that its hooks could end.
  if (hasInstances) await new NestApplicationContext(container).close().catch(told);
  for (const { providers } of container.getModules().values()) {
    for (const { instance } of providers.values())
      if (instance instanceof DataSource && instance.isInitialized) await instance.destroy().catch(told);
  }
}
