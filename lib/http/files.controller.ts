import { Controller } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { FilesEndpoints } from './files-endpoints.js';

/** Makes the controller for a path. Each module gets a class of its own, so that two applications may have two paths. */
export function createFilesController(path: string): Type<FilesEndpoints> {
  @Controller(path)
  class FilesController extends FilesEndpoints {}
  return FilesController;
}
