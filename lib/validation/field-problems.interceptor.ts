import { HttpException, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import { FilesError } from '../errors/files-error.js';
import type { FieldProblem } from '../errors/file-problem.js';
import { CallScope, inCallScope } from '../actor/actor.js';

/**
 * Opens the scope of a call, in which its validation finds out who acts. Adds the code, and that of each field, to the
 * answer of a call whose validation refused a file, if the answer has the form of Nest's own pipes.
 */
@Injectable()
export class FieldProblemsInterceptor implements NestInterceptor {
  // For every call: a handler may validate its input itself, or by a pipe whose class no metadata names.
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
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
