import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { Injectable } from '@nestjs/common';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export interface Asset {
  type: string;
  content: Buffer;
}

/**
 * Scripts, styles and the icon, read once. They lie beside this file, in the sources and, as nest-cli.json says, in
 * what is built of them.
 */
@Injectable()
export class Assets {
  readonly #assets = new Map<string, Asset>();
  /**
   * Where browsers find them. It is another place when one of them is another, so that they may keep what they have.
   */
  readonly address: string;

  constructor() {
    const folder = new URL('./assets/', import.meta.url);
    const hash = createHash('sha256');
    for (const name of readdirSync(folder).toSorted()) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const content = readFileSync(new URL(name, folder));
      hash.update(name).update(content);
      this.#assets.set(name, { type, content });
    }
    this.address = `/web/assets/${hash.digest('hex').slice(0, 12)}`;
  }

  find(name: string): Asset | undefined {
    return this.#assets.get(name);
  }
}
