import { Inject } from '@nestjs/common';

/** The injection token of a configured storage. */
export function getStorageToken(name = 'default'): string {
  return `nestjs-files:storage:${name}`;
}

/** Injects a configured storage: `@InjectStorage('images') private readonly images: Storage`. */
export function InjectStorage(name = 'default'): ParameterDecorator & PropertyDecorator {
  return Inject(getStorageToken(name));
}
