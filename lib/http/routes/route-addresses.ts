import { RequestMethod } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { MODULE_PATH, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants.js';
import type { VersionValue } from '@nestjs/common/interfaces/version-options.interface.js';
import { addLeadingSlash } from '@nestjs/common/utils/shared.utils.js';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
// The router itself makes paths with it; @nestjs/swagger imports it, too.
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';
import { FilesAddresses } from '../../files/files-addresses.js';

/** A method of a controller that answers GET. */
export interface GetRoute {
  readonly controller: Type;
  readonly method: string;
}

/** The routes that have addresses; `undefined` for one that is left out. */
export interface AddressedRoutes {
  readonly content: GetRoute | undefined;
  readonly link: GetRoute | undefined;
}

/** Makes addresses as the router makes paths: of the global prefix, versions, and the path of the module. */
export class RouteAddresses extends FilesAddresses {
  readonly #paths: RoutePathFactory;

  constructor(
    private readonly routes: AddressedRoutes,
    private readonly module: Type,
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
  ) {
    super();
    this.#paths = new RoutePathFactory(config);
  }

  contentOf(fileId: string): string | undefined {
    return this.#pathOf(this.routes.content)?.replace(':id', fileId);
  }

  linkOf(token: string): string | undefined {
    return this.#pathOf(this.routes.link)?.replace(':token', token);
  }

  // Not cached, because the application may set its prefix after the first call.
  #pathOf(route: GetRoute | undefined): string | undefined {
    if (route === undefined) return undefined;
    const { controller, method } = route;
    const handler = (controller.prototype as Record<string, object>)[method] as object;
    const versioningOptions = this.config.getVersioning();
    const controllerVersion = versionOf(controller) ?? versioningOptions?.defaultVersion;
    const [path] = this.#paths.create(
      {
        globalPrefix: addLeadingSlash(this.config.getGlobalPrefix()),
        modulePath: this.#modulePath(),
        ctrlPath: addLeadingSlash(Reflect.getMetadata(PATH_METADATA, controller) as string),
        methodPath: addLeadingSlash(Reflect.getMetadata(PATH_METADATA, handler) as string),
        ...(versioningOptions && { versioningOptions, controllerVersion, methodVersion: versionOf(handler) }),
      },
      RequestMethod.GET,
    );
    return path;
  }

  /** Where `RouterModule.register()` has put the module. */
  #modulePath(): string | undefined {
    const own: unknown = Reflect.getMetadata(MODULE_PATH + this.modules.applicationId, this.module);
    return (own ?? Reflect.getMetadata(MODULE_PATH, this.module)) as string | undefined;
  }
}

function versionOf(target: object): VersionValue | undefined {
  return Reflect.getMetadata(VERSION_METADATA, target) as VersionValue | undefined;
}
