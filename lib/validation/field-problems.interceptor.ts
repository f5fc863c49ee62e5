import { HttpException, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor, OnModuleInit } from '@nestjs/common';
import { Observable } from 'rxjs';
import { UPLOAD_AS } from '../staging/upload-rule.js';
import { FilesError } from '../errors/files-error.js';
import type { FieldProblem } from '../errors/file-problem.js';
import { CallScope, inCallScope } from '../actor/actor.js';
import { decorationOf } from '../task-queue/task-queue.interceptor.js';
import { carriesRule } from '../dto/dto-rules.js';
import { RouteExplorer } from '../task-queue/route-explorer.js';
import { TRANSFER_OWNERSHIP } from './rules/transfer-ownership.rule.js';
import { hasFileRules } from './schema/with-files.js';

/** The names of the rules about files in class-validator. */
const FILE_RULES: ReadonlySet<string> = new Set([
  'acceptFileStorage',
  'acceptFileType',
  'fileExists',
  'maxFileSize',
  TRANSFER_OWNERSHIP,
  UPLOAD_AS,
]);

/**
 * Adds the code, and that of each field, to the answer of a call whose validation refused a file, if the answer has the
 * form of Nest's own pipes. Handlers whose parameters name no files are left alone.
 */
@Injectable()
export class FieldProblemsInterceptor implements NestInterceptor, OnModuleInit {
  readonly #concerned = new WeakMap<object, boolean>();

  constructor(private readonly explorer: RouteExplorer) {}

  onModuleInit(): void {
    for (const { handler, bodyTypes, schemas } of this.explorer.routes()) {
      if (bodyTypes.some(namesFiles) || schemas.some(({ schema }) => hasFileRules(schema)))
        this.#concerned.set(handler, true);
    }
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (!this.#isConcerned(context)) return next.handle();
    const call = new CallScope(context);
    // Inner interceptors may begin when they are called, or when they are subscribed to.
    return new Observable((subscriber) =>
      inCallScope(call, () =>
        next.handle().subscribe({
          next: (value) => subscriber.next(value),
          error: (error: unknown) => {
            complete(error, call.problems);
            subscriber.error(error);
          },
          complete: () => subscriber.complete(),
        }),
      ),
    );
  }

  #isConcerned(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    let isConcerned = this.#concerned.get(handler);
    if (isConcerned === undefined) {
      const prototype = context.getClass().prototype as object;
      const types = (Reflect.getMetadata('design:paramtypes', prototype, handler.name) ?? []) as unknown[];
      isConcerned = decorationOf(handler) !== undefined || types.some(namesFiles);
      this.#concerned.set(handler, isConcerned);
    }
    return isConcerned;
  }
}

function namesFiles(type: unknown): boolean {
  return carriesRule(type, ({ name }) => FILE_RULES.has(name ?? ''));
}

function complete(error: unknown, problems: readonly FieldProblem[]): void {
  if (problems.length === 0 || !(error instanceof HttpException) || error instanceof FilesError) return;
  const body = error.getResponse();
  if (typeof body !== 'object' || !('message' in body) || !Array.isArray(body.message)) return;
  const noted = new Map<string, Map<FieldProblem['code'], FieldProblem>>();
  for (const problem of problems) {
    const same = noted.get(problem.message) ?? new Map<FieldProblem['code'], FieldProblem>();
    noted.set(problem.message, same.set(problem.code, problem));
  }
  // Several decorators of a field may say the same of its file.
  const messages = [...new Set<unknown>(body.message)];
  const told = messages.flatMap((message) => (typeof message === 'string' ? problemsTold(message, noted) : []));
  if (told.length === 0) return;
  const { message: _, statusCode, error: name, ...rest } = body as Record<string, unknown>;
  for (const key of Object.keys(body)) delete (body as Record<string, unknown>)[key];
  // In the order of a late refusal, because even the order would reveal whether the file was seen.
  Object.assign(body, {
    statusCode,
    code: 'FILES_VALIDATION_FAILED',
    message: messages,
    error: name,
    ...rest,
    problems: told,
  });
}

const MAX_DEPTH = 32;

/** The field that the message is about; the `ValidationPipe` prefixes it with the path to a nested object. */
function problemsTold(
  message: string,
  noted: ReadonlyMap<string, ReadonlyMap<FieldProblem['code'], FieldProblem>>,
): FieldProblem[] {
  for (let at = 0, depth = 0; depth < MAX_DEPTH; depth++) {
    const same = noted.get(message.slice(at));
    if (same)
      return [...same.values()].map(({ field, code }) => ({ field: message.slice(0, at) + field, code, message }));
    at = message.indexOf('.', at) + 1;
    if (at === 0) break;
  }
  return [];
}
