import { Body, Controller, Logger, ParseArrayPipe, Post } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsUUID, ValidateNested } from 'class-validator';
import {
  ChildEntity,
  Column,
  DataSource,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
} from 'typeorm';
import type { Relation } from 'typeorm';
import { describe, expect, it, vi } from 'vitest';
import { FileField, OwnsFiles, TransferOwnership, WithTaskQueue } from '../../../lib/index.js';
import { guardedEntitiesOf } from '../../../lib/ownership/guard/guarded-entities.js';
import { IN_MEMORY, theDatabase } from '../../support/databases.js';
import { guardedApp } from '../../support/guarded-app.js';

class FileDto {
  @TransferOwnership('thing') fileId!: string;
}
class RedeclaredDto extends FileDto {
  @IsUUID() declare fileId: string;
}
class RepeatedDto extends FileDto {
  @IsUUID() @TransferOwnership('thing') declare fileId: string;
}
class UntypedDto {
  @ValidateNested({ each: true }) things!: FileDto[];
}
class UnvalidatedDto {
  @Type(() => FileDto) thing!: FileDto;
}
class DeepDto {
  @ValidateNested() @Type(() => RedeclaredDto) inner!: RedeclaredDto;
}
class SoundDto {
  @ValidateNested({ each: true }) @Type(() => RepeatedDto) things!: RepeatedDto[];
}

@Controller()
class Routes {
  @Post('redeclared') @WithTaskQueue() redeclared(@Body() _dto: RedeclaredDto) {}
  @Post('untyped') @WithTaskQueue() untyped(@Body() _dto: UntypedDto) {}
  @Post('unvalidated') @WithTaskQueue() unvalidated(@Body() _dto: UnvalidatedDto) {}
  @Post('deep') @WithTaskQueue() deep(@Body() _dto: DeepDto) {}
  @Post('list') @WithTaskQueue() list(@Body() _dtos: FileDto[]) {}
  @Post('parsed') @WithTaskQueue() parsed(@Body(new ParseArrayPipe({ items: FileDto })) _dtos: FileDto[]) {}
  @Post('sound') @WithTaskQueue() sound(@Body() _dto: SoundDto) {}
}

@Entity()
class Ownerless {
  @PrimaryGeneratedColumn() id!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
@OwnsFiles('pair')
class Pair {
  @PrimaryColumn('int') one!: number;
  @PrimaryColumn('int') other!: number;
  @FileField() @Column('uuid', { nullable: true }) fileId!: string | null;
}

@Entity()
class Shelf {
  @PrimaryColumn('varchar', { length: 36 }) code!: string;
}

@Entity('jar')
@OwnsFiles('shelf', { idField: 'shelfCode' })
class Jar {
  @PrimaryGeneratedColumn() id!: number;
  @Column('varchar', { length: 36 }) shelfCode!: string;
  @ManyToOne(() => Shelf, { onUpdate: 'CASCADE' }) @JoinColumn({ name: 'shelfCode' }) shelf!: Relation<Shelf>;
  @FileField() @Column('varchar', { length: 36, nullable: true }) labelId!: string | null;
}

@Entity('jar', { synchronize: false })
class JarLabel {
  @PrimaryColumn('int') id!: number;
  @Column('varchar', { length: 36, nullable: true }) labelId!: string | null;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
class Box {
  @PrimaryGeneratedColumn() id!: number;
}

@ChildEntity()
@OwnsFiles('crate')
class Crate extends Box {
  @FileField() @Column('varchar', { length: 36, nullable: true }) fileId!: string | null;
}

@ChildEntity()
class Carton extends Box {}

describe('The boot', () => {
  it('warns of another class with the table, and of owner ids that the database changes', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const entities = [Shelf, Jar, JarLabel, Box, Crate, Carton];
    const app = await guardedApp({ database: await theDatabase(), entities });
    const told = warn.mock.calls.map(([message]) => String(message));
    warn.mockRestore();
    await app.close();
    expect(told).toEqual([
      'Writes through JarLabel are not checked: it maps the table "jar" of Jar and declares none of its files. Put @OwnsFiles() and ' +
        '@FileField() on JarLabel, too, or write through Jar.',
      'Files of type "shelf" can be left behind: with `onUpdate: \'CASCADE\'` on Jar.shelfCode the database changes the owner id without TypeORM when ' +
        'the Shelf gets another one. Remove the CASCADE, and save the Jar entities with their new id.',
    ]);
  });

  it('warns of fields that no constraint will see, and names the remedy', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const app = await guardedApp({ database: await theDatabase(), controllers: [Routes] });
    const told = warn.mock.calls.map(([message]) => String(message)).filter((message) => message.startsWith('Routes.'));
    warn.mockRestore();
    await app.close();
    expect(new Set(told.map((message) => message.split(/[ :]/)[0]))).toEqual(
      new Set(['Routes.deep', 'Routes.list', 'Routes.redeclared', 'Routes.untyped', 'Routes.unvalidated']),
    );
    expect(told.join()).toMatch(/RedeclaredDto.fileId redeclares an inherited field/);
    expect(told.join()).toMatch(/UntypedDto.things has @ValidateNested\(\) and lacks @Type/);
    expect(told.join()).toMatch(/UnvalidatedDto.thing has @Type\(\) and lacks @ValidateNested\(\)/);
    expect(told.join()).toMatch(/ParseArrayPipe/);
  });

  it.each([
    ['a class that owns nothing', Ownerless, /@OwnsFiles/],
    ['a class without an owner id', Pair, /idField/],
  ])('refuses a declared field of %s', async (_, entity, message) => {
    const source = await new DataSource({ ...IN_MEMORY, entities: [entity] }).initialize();
    expect(() => guardedEntitiesOf(source)).toThrow(message);
    await source.destroy();
  });

  it('refuses @FileField() in the wrong place', () => {
    expect(() => {
      class Wrong {
        @Column('uuid') @FileField() fileId!: string;
      }
      return Wrong;
    }).toThrow(/above @Column/);
    expect(() => FileField({ onReplace: 'burn' as never })({}, 'x')).toThrow(/onReplace/);
    expect(() => FileField({ detached: 'keep' } as never)({}, 'x')).toThrow(/no option "detached"/);
  });
});
