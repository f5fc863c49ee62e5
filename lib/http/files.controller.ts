import { Controller } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { ContentEndpoints } from './content-endpoints.js';
import { FilesEndpoints } from './files-endpoints.js';
import { describeRoutes, findSwagger } from './openapi.js';
import { OwnershipEndpoints } from './ownership-endpoints.js';

/** Makes the controllers for a path. Each module gets classes of its own, so that two applications may have two paths. */
export function createFilesControllers(path: string): Type[] {
  describeRoutes(findSwagger(import.meta.url));

  @Controller(path)
  class FilesController extends FilesEndpoints {}

  @Controller(path)
  class FileContentController extends ContentEndpoints {}

  @Controller(path)
  class FileOwnershipController extends OwnershipEndpoints {}

  return [FilesController, FileContentController, FileOwnershipController];
}
