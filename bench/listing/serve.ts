import 'reflect-metadata';
import { Controller, Get, Injectable, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import pg from 'pg';
import { In, Repository } from 'typeorm';
import type { DataSourceOptions } from 'typeorm';
import { FilesAccess, FilesModule, FilesService, OwnerPolicy } from '../../lib/index.js';
import type { Actor, FileOwnerPolicy, OwnerOperation } from '../../lib/index.js';
import { memoryStorage } from '../../lib/storage/adapters/memory.storage.js';
import type { PgPlace } from '../attach/pg.service.js';
import { reportPort } from '../support/child.js';
import { Package } from '../support/files-table.js';

const [, , name = '', given = '{}'] = process.argv;
const database = JSON.parse(given) as DataSourceOptions & PgPlace;
const ADA = { type: 'user', id: 'ada' };

interface Listed {
  id: string;
  name: string;
  size: number;
}

// Whoever sees a package sees its files: here all packages that were not renamed.
const JOIN = `SELECT f.id, f.name, f.size::int AS size FROM files_file f JOIN package p ON p.id = f.owner_id::int
  WHERE f.owner_type = 'package' AND f.owner_id = ANY($1) AND p.title = 'before' ORDER BY f.id LIMIT 100`;

@Controller('listing')
class JoinController {
  readonly #pool = new pg.Pool({ host: database.host, user: database.username, database: database.database, max: 10 });

  @Get()
  async list(@Query('packages') packages: string): Promise<Listed[]> {
    const { rows } = await this.#pool.query<Listed>({ name: 'list', text: JOIN, values: [packages.split(',')] });
    return rows;
  }
}

@Injectable()
@OwnerPolicy('package')
class PackageFiles implements FileOwnerPolicy {
  constructor(@InjectRepository(Package) private readonly packages: Repository<Package>) {}

  async allows(operation: OwnerOperation, actor: Actor | null, id: string): Promise<boolean> {
    return (await this.allowsMany(operation, actor, [id])).includes(Number(id));
  }

  async allowsMany(_operation: OwnerOperation, _actor: Actor | null, ids: readonly string[]): Promise<number[]> {
    const seen = await this.packages.find({ select: { id: true }, where: { id: In([...ids]), title: 'before' } });
    return seen.map(({ id }) => id);
  }
}

@Controller('listing')
class AccessController {
  constructor(
    private readonly files: FilesService,
    private readonly access: FilesAccess,
  ) {}

  @Get()
  async list(@Query('packages') packages: string): Promise<Listed[]> {
    const owner = packages.split(',').map((id) => ({ type: 'package', id }));
    const { results } = await this.files.search({ filters: { owner }, limit: 100 });
    const visible = await this.access.allowed(ADA, 'read', results);
    return visible.map(({ id, name, size }) => ({ id, name, size }));
  }
}

@Module({ controllers: [JoinController] })
class JoinModule {}

@Module({
  imports: [
    TypeOrmModule.forRoot({ ...database, autoLoadEntities: true }),
    TypeOrmModule.forFeature([Package]),
    FilesModule.forRoot({
      storages: { default: memoryStorage() },
      actor: () => ADA,
      cascade: { package: true },
      sweeper: false,
    }),
  ],
  controllers: [AccessController],
  providers: [PackageFiles],
})
class OursModule {}

const app = await NestFactory.create(name === 'nestjs-files' ? OursModule : JoinModule, { logger: ['error'] });
app.enableShutdownHooks();
await reportPort(app);
