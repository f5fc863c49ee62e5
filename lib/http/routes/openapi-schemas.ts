// OpenAPI schemas of the requests and responses of the library's routes.

export const TEXT = { type: 'string' };
export const BINARY = { type: 'string', format: 'binary' };
export const INSTANT = { type: 'string', format: 'date-time' };
export const NULLABLE_TEXT = { type: 'string', nullable: true };

export const FILE = {
  type: 'object',
  properties: {
    id: { type: 'string', format: 'uuid' },
    name: TEXT,
    storage: TEXT,
    contentType: TEXT,
    size: { type: 'integer', format: 'int64' },
    hash: TEXT,
    hashAlgorithm: TEXT,
    createdAt: INSTANT,
    ownerType: NULLABLE_TEXT,
    ownerId: NULLABLE_TEXT,
    ownerField: NULLABLE_TEXT,
    pinned: { type: 'boolean' },
    expiresAt: { ...INSTANT, nullable: true },
    scan: { type: 'string', enum: ['pending', 'clean', 'infected', 'failed'] },
    metadata: { type: 'object', nullable: true },
  },
};

/** The OpenAPI description of a route. */
export interface Route {
  endpoints: { prototype: object };
  method: string;
  summary: string;
  answers: Readonly<Record<number, object | undefined>>;
  body?: { type: string; schema: object };
}

/** Answers without a described body: `without(401, 404)`. */
export function without(...statuses: number[]): Route['answers'] {
  return Object.fromEntries(statuses.map((status) => [status, undefined]));
}
