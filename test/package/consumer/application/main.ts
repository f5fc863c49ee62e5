import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Body, Controller, Get, Module, Param, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
// TypeORM loads it by a name that webpack does not see.
import driver from 'better-sqlite3';
import { Type } from 'class-transformer';
import { IsOptional, IsString, ValidateNested } from 'class-validator';
import { FileField, FilesModule, OwnsFiles, TransferOwnership, UploadAs, WithTaskQueue } from 'nestjs-files';
import { fsStorage } from 'nestjs-files/storage/fs';
import { Column, Entity, ManyToOne, OneToMany, PrimaryGeneratedColumn } from 'typeorm';
import type { Relation, Repository } from 'typeorm';

@Entity('orders')
class Order {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') title!: string;
  @OneToMany(() => Item, (item) => item.order, { cascade: true }) items!: Relation<Item>[];
}

@Entity('items')
@OwnsFiles('item')
class Item {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar') name!: string;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
  @ManyToOne(() => Order, (order) => order.items) order!: Relation<Order>;
}

class NamedItem {
  @IsString() name!: string;
  @TransferOwnership('item') fileId!: string;
}

class OrderDto {
  @IsString() title!: string;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => NamedItem) items?: NamedItem[];
}

class SentItem {
  @IsString() name!: string;
  @UploadAs('item') fileId!: string;
}

class OrderForm {
  @IsString() title!: string;
  @ValidateNested({ each: true }) @Type(() => SentItem) items!: SentItem[];
}

@Controller('orders')
class OrdersController {
  constructor(@InjectRepository(Order) private readonly orders: Repository<Order>) {}

  @Get('count')
  count(): Promise<number> {
    return this.orders.count();
  }

  @Post()
  @WithTaskQueue()
  save(@Body() dto: OrderDto): Promise<Order> {
    return this.orders.save(this.orders.create(dto));
  }

  @Post('form')
  @WithTaskQueue()
  saveForm(@Body() dto: OrderForm): Promise<Order> {
    return this.orders.save(this.orders.create(dto));
  }

  @Post('failing/:reason')
  @WithTaskQueue()
  async fail(@Body() dto: OrderDto, @Param('reason') reason: string): Promise<Order> {
    await this.orders.save(this.orders.create(dto));
    throw new Error(reason);
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'better-sqlite3',
      driver,
      database: ':memory:',
      autoLoadEntities: true,
      synchronize: true,
    }),
    TypeOrmModule.forFeature([Order, Item]),
    FilesModule.forRoot({
      storages: { default: fsStorage({ root: process.env['FILES_ROOT'] ?? 'var/files' }) },
      uploads: 'authenticated',
      actor: () => ({ type: 'user', id: 'ada' }),
      isManager: () => true,
    }),
  ],
  controllers: [OrdersController],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));
  await app.listen(0, '127.0.0.1');
  console.log((app.getHttpServer() as { address(): AddressInfo }).address().port);
}

void main();
