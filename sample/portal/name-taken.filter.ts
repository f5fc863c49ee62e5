import { Catch, ConflictException } from '@nestjs/common';
import type { ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { QueryFailedError } from 'typeorm';

/** How SQLite, PostgreSQL and MariaDB call a violated unique constraint. */
const UNIQUE_VIOLATIONS = ['SQLITE_CONSTRAINT_UNIQUE', '23505', 'ER_DUP_ENTRY'];

/** Answers 409 when the database refuses a name that is taken. */
@Catch(QueryFailedError)
export class NameTakenFilter extends BaseExceptionFilter {
  override catch(error: QueryFailedError<Error & { code?: string }>, host: ArgumentsHost): void {
    const isTaken = UNIQUE_VIOLATIONS.includes(error.driverError.code ?? '');
    super.catch(isTaken ? new ConflictException('The name is taken.') : error, host);
  }
}
