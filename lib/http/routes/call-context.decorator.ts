import { createParamDecorator } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';

/** The execution context of the call, which knows request and response on every platform. */
export const CallContext = createParamDecorator((_data: unknown, context: ExecutionContext) => context);
