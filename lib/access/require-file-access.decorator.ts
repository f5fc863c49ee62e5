import { UseGuards } from '@nestjs/common';
import { FileAccessGuard } from './file-access.guard.js';
import type { FileIdSource } from './file-access.guard.js';
import type { FileOperation } from './operations.js';

/**
 * Protects a route, a resolver or a message handler, or all of a class, by the access to the file that the call names.
 * Several may stand above each other; all of them have to let the call through.
 * ```ts
 * @Get('previews/:fileId') @RequireFileAccess('read', 'fileId') preview(@Param('fileId') id: string) { … }
 * @Post('prints') @RequireFileAccess('stream', (request: Request) => request.body.fileId) print() { … }
 * ```
 */
export function RequireFileAccess<T>(
  operation: FileOperation,
  source: FileIdSource<T>,
): MethodDecorator & ClassDecorator {
  return UseGuards(FileAccessGuard(operation, source));
}
