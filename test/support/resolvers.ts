import { EventEmitter, on } from 'node:events';
import { Injectable, UseGuards, UseInterceptors, ValidationPipe } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { ApolloDriver } from '@nestjs/apollo';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import { NestFactory } from '@nestjs/core';
import {
  Args,
  ArgsType,
  Field,
  GqlExecutionContext,
  GraphQLModule,
  InputType,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { InjectRepository } from '@nestjs/typeorm';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { Repository } from 'typeorm';
import { expect } from 'vitest';
import { TaskQueue, TransferOwnership, WithTaskQueue } from '../../lib/index.js';
import type { StartedTransport, TransportUnderTest } from './describe-transport.js';
import type { Platform } from './http-app.js';
import { Package } from './ownership-app.js';
import { GiveUp, Packages } from './transport-app.js';
import type { PackageDto } from './transport-app.js';

@InputType()
class ResourceInput {
  @Field(() => String) @TransferOwnership('resource') fileId!: string;
}

@InputType()
class PackageInput implements PackageDto {
  @Field(() => String) @IsString() title!: string;
  @Field(() => String, { nullable: true }) @IsOptional() @TransferOwnership('package') attachmentId?: string | null;
  @Field(() => [ResourceInput], { nullable: true })
  @IsOptional()
  @ValidateNested({ each: true })
  @Type(() => ResourceInput)
  resources?: ResourceInput[] | null;
}

@ArgsType()
class PackageArgs implements PackageDto {
  @Field(() => String) @IsString() title!: string;
  @Field(() => String, { nullable: true }) @IsOptional() @TransferOwnership('package') attachmentId?: string | null;
}

@ObjectType('Package')
class PackageType {
  @Field(() => Int) id!: number;
  @Field(() => String) title!: string;
}

/** Leaves the user on the request, as guards of resolvers do. */
@Injectable()
class SignIn implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { req } = GqlExecutionContext.create(context).getContext<{
      req?: { headers: Record<string, string>; user?: { id: string } };
    }>();
    if (req) req.user = { id: String(req.headers['x-user']) };
    return true;
  }
}

@Resolver(() => PackageType)
@UseGuards(SignIn)
class PackagesResolver {
  readonly #events = new EventEmitter();

  constructor(
    private readonly packages: Packages,
    private readonly queue: TaskQueue,
    @InjectRepository(Package) private readonly rows: Repository<Package>,
  ) {}

  @Query(() => [PackageType])
  all(): Promise<Package[]> {
    return this.rows.find();
  }

  @Mutation(() => PackageType)
  @WithTaskQueue()
  async create(@Args('input') input: PackageInput): Promise<Package> {
    this.queue.afterCommit(() => this.#events.emit('created', input.title));
    return this.packages.create(input);
  }

  @Mutation(() => PackageType)
  @WithTaskQueue()
  createByArgs(@Args() args: PackageArgs): Promise<Package> {
    return this.packages.create(args);
  }

  @Mutation(() => PackageType)
  @WithTaskQueue()
  @UseInterceptors(GiveUp)
  createInTime(@Args('input') input: PackageInput): Promise<Package> {
    return this.packages.create(input);
  }

  /** A field that writes: not what fields are for, but it happens. */
  @ResolveField(() => PackageType)
  @WithTaskQueue()
  child(@Parent() parent: PackageType, @Args('title', { type: () => String }) title: string): Promise<Package> {
    return this.packages.create({ title: `${parent.title} ${title}` });
  }

  @ResolveField(() => PackageType)
  @WithTaskQueue()
  childWithFile(@Args() args: PackageArgs): Promise<Package> {
    return this.packages.create(args);
  }

  @Subscription(() => String, { resolve: (title: string) => title })
  async *created(): AsyncGenerator<string> {
    for await (const [title] of on(this.#events, 'created')) yield String(title);
  }

  @Subscription(() => Int, { resolve: (count: number) => count })
  @WithTaskQueue()
  async *counts(): AsyncGenerator<number> {
    for await (const _ of on(this.#events, 'created')) yield await this.rows.count();
  }
}

export interface GraphqlAnswer {
  data: Record<string, { id: number; title: string }> | null;
  errors?: { message: string; path: string[]; extensions: Record<string, unknown> }[];
}

export interface StartedGraphql extends StartedTransport {
  ask(query: string, variables?: object, user?: string, signal?: AbortSignal): Promise<GraphqlAnswer>;
}

const CREATE = 'mutation ($input: PackageInput!) { create(input: $input) { id title } }';

/** The same resolvers on each HTTP platform. */
export function graphql(
  platform: Platform,
  options: Partial<ApolloDriverConfig> = {},
): TransportUnderTest<StartedGraphql> {
  return {
    contextType: 'graphql',
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        graphiql: false,
        ...options,
      }),
    ],
    providers: [PackagesResolver],
    told: {
      error: (code, message) => ({ message: expect.stringContaining(message) as string, extensions: { code } }),
      // Apollo shows the message of any error: https://www.apollographql.com/docs/apollo-server/data/errors
      unknown: { extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    },
    start: async (module) => {
      const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
      const app = await NestFactory.create<NestFastifyApplication>(module, adapter as FastifyAdapter, {
        logger: false,
        abortOnError: false,
      });
      app.useGlobalPipes(new ValidationPipe({ transform: true }));
      await app.listen(0, '127.0.0.1');
      const url = `${await app.getUrl()}/graphql`;
      const ask = async (query: string, variables = {}, user = 'ada', signal: AbortSignal | null = null) => {
        const headers = { 'content-type': 'application/json', 'x-user': user };
        const response = await fetch(url, {
          method: 'POST',
          headers,
          body: JSON.stringify({ query, variables }),
          signal,
        });
        return (await response.json()) as GraphqlAnswer;
      };
      return {
        app,
        ask,
        create: async (input, user) => {
          const { data, errors } = await ask(CREATE, { input }, user);
          if (errors) throw errors[0];
          return data;
        },
      };
    },
  };
}
