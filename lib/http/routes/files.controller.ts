import { posix } from 'node:path';
import { Controller } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { AssetsEndpoints, assetsPath } from './assets-endpoints.js';
import { CapabilitiesEndpoints, capabilitiesPath } from './capabilities-endpoints.js';
import { ContentEndpoints } from './content-endpoints.js';
import type { DerivedRecipes } from '../../files/derived/derived-recipes.js';
import { addDerivedRoutes, DerivedEndpoints } from './derived-endpoints.js';
import { DirectUploadsEndpoints, directUploadsPath } from './direct-uploads-endpoints.js';
import { FilesEndpoints } from './files-endpoints.js';
import type { CheckedHttpOptions, FilesRoute } from '../http-options.js';
import { LinksEndpoints, linksPath } from './links.controller.js';
import { describeRoutes } from './openapi.js';
import { ownRoutes } from './own-routes.js';
import { TusEndpoints } from '../tus/tus-endpoints.js';
import { OwnershipEndpoints } from './ownership-endpoints.js';
import type { AddressedRoutes, GetRoute } from './route-addresses.js';

/** The controllers of a module. */
export interface FilesControllers {
  readonly all: readonly Type[];
  readonly addressed: AddressedRoutes;
  /** Adds the routes of derived files, before Nest registers routes. */
  addDerived(recipes: DerivedRecipes): void;
}

/**
 * Creates the controllers for a path. Each module gets separate classes, so that two applications can use two paths.
 */
export function createFilesControllers(options: CheckedHttpOptions): FilesControllers {
  describeRoutes();
  const { path } = options;

  @Controller(linksPath(path))
  class LinksController extends LinksEndpoints {}
  ownRoutes(LinksController, { open: 'link' }, options);

  @Controller(directUploadsPath(path))
  class DirectUploadsController extends DirectUploadsEndpoints {}
  const ofUploads = ['begin', 'read', 'sign', 'complete', 'abort'].map((method) => [method, 'directUploads'] as const);
  ownRoutes(DirectUploadsController, Object.fromEntries(ofUploads), options);

  @Controller(capabilitiesPath(path))
  class CapabilitiesController extends CapabilitiesEndpoints {
    protected readonly hasDirectUploads = options.decoratorsOf('directUploads') !== undefined;
    protected readonly tus = options.decoratorsOf('tus') ? posix.relative(`/${path}`, `/${options.tusPath}`) : null;
  }
  ownRoutes(CapabilitiesController, { read: 'capabilities' }, options);
  @Controller(options.tusPath)
  class TusController extends TusEndpoints {}
  const ofTus = ['capabilities', 'capabilitiesOfUpload', 'create', 'find', 'append', 'abort', 'override'];
  ownRoutes(TusController, Object.fromEntries(ofTus.map((method) => [method, 'tus'] as const)), options);

  @Controller(assetsPath(path))
  class AssetsController extends AssetsEndpoints {}
  ownRoutes(AssetsController, { client: 'assets', field: 'assets' }, options);

  @Controller(path)
  class FilesController extends FilesEndpoints {}
  const methods = { create: 'upload', list: 'list', read: 'read', rename: 'rename', delete: 'delete' } as const;
  ownRoutes(FilesController, methods, options);

  @Controller(path)
  class FileContentController extends ContentEndpoints {}
  ownRoutes(FileContentController, { content: 'download', replace: 'replace' }, options);

  @Controller(path)
  class DerivedFilesController extends DerivedEndpoints {}

  @Controller(path)
  class FileOwnershipController extends OwnershipEndpoints {}
  const changes = { transfer: 'transfer', pin: 'pin', unpin: 'unpin', history: 'history' } as const;
  ownRoutes(FileOwnershipController, changes, options);

  const addressed = (name: FilesRoute, route: GetRoute) => (options.decoratorsOf(name) ? route : undefined);
  return {
    all: [
      LinksController,
      DirectUploadsController,
      CapabilitiesController,
      TusController,
      ...(options.assets ? [AssetsController] : []),
      FilesController,
      FileContentController,
      FileOwnershipController,
      ...(options.decoratorsOf('derived') ? [DerivedFilesController] : []),
    ],
    addDerived: (recipes) => addDerivedRoutes(DerivedFilesController, recipes, options),
    addressed: {
      content: addressed('download', { controller: FileContentController, method: 'content' }),
      link: addressed('link', { controller: LinksController, method: 'open' }),
    },
  };
}
