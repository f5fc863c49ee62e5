import type { Type } from '@nestjs/common';
import { rulesOf } from '../../dto/dto-rules.js';
import { CapabilitiesEndpoints } from './capabilities-endpoints.js';
import { ContentEndpoints } from './content-endpoints.js';
import { FilesEndpoints } from './files-endpoints.js';
import { ListFilesInput, RenameFileInput, TransferFileInput, UploadInput } from './inputs.js';
import { LinksEndpoints } from './links.controller.js';
import { DIRECT_UPLOAD_INPUTS, DIRECT_UPLOAD_ROUTES } from './openapi-direct-uploads.js';
import { TUS_ROUTES } from './openapi-tus.js';
import { BINARY, FILE, INSTANT, NULLABLE_TEXT, TEXT, without } from './openapi-schemas.js';
import type { Route } from './openapi-schemas.js';
import { OwnershipEndpoints } from './ownership-endpoints.js';

// The metadata keys of the decorators of @nestjs/swagger, which need not be installed. Importing it could find another
// copy of it than that of a bundled application, or none.
const OPERATION = 'swagger/apiOperation';
const RESPONSES = 'swagger/apiResponse';
const CONSUMES = 'swagger/apiConsumes';
const PARAMETERS = 'swagger/apiParameters';
const PROPERTIES = 'swagger/apiModelPropertiesArray';
const PROPERTY = 'swagger/apiModelProperties';

const FILES = { type: 'array', items: FILE };
const LIST = { type: 'object', properties: { count: { type: 'integer' }, results: FILES, next: NULLABLE_TEXT } };
const FORM = {
  type: 'object',
  required: ['file'],
  properties: { storage: TEXT, file: { type: 'array', items: BINARY, maxItems: 20 } },
};
const HISTORY = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      id: TEXT,
      fileId: TEXT,
      action: TEXT,
      fromType: NULLABLE_TEXT,
      fromId: NULLABLE_TEXT,
      toType: NULLABLE_TEXT,
      toId: NULLABLE_TEXT,
      actorType: NULLABLE_TEXT,
      actorId: NULLABLE_TEXT,
      forced: { type: 'boolean' },
      at: INSTANT,
    },
  },
};

const CAPABILITIES = {
  type: 'object',
  properties: {
    storages: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: TEXT,
          maxSize: { type: 'integer', format: 'int64', nullable: true },
          acceptedTypes: { type: 'array', items: TEXT, nullable: true },
          direct: { type: 'boolean' },
          resumable: { type: 'boolean' },
        },
      },
    },
    defaultStorage: TEXT,
    tus: NULLABLE_TEXT,
  },
};

const DOWNLOAD = { 200: BINARY, 206: BINARY, ...without(304, 307, 401, 403, 404, 409, 412, 416) };

const ROUTES: readonly Route[] = [
  {
    endpoints: FilesEndpoints,
    method: 'create',
    summary: 'Upload files',
    answers: {
      201: { oneOf: [FILE, { type: 'object', properties: { files: FILES } }] },
      ...without(400, 401, 403, 408, 413, 415),
    },
    body: { type: 'multipart/form-data', schema: FORM },
  },
  {
    endpoints: FilesEndpoints,
    method: 'list',
    summary: 'List files',
    answers: { 200: LIST, ...without(400, 401, 403) },
  },
  {
    endpoints: FilesEndpoints,
    method: 'read',
    summary: 'Describe a file',
    answers: { 200: FILE, ...without(401, 403, 404) },
  },
  {
    endpoints: FilesEndpoints,
    method: 'rename',
    summary: 'Rename a file',
    answers: { 200: FILE, ...without(400, 401, 403, 404, 409) },
  },
  {
    endpoints: FilesEndpoints,
    method: 'delete',
    summary: 'Delete a file',
    answers: without(204, 401, 403, 404, 409),
  },
  {
    endpoints: ContentEndpoints,
    method: 'content',
    summary: 'Download the content of a file, or a range of it',
    answers: DOWNLOAD,
  },
  {
    endpoints: ContentEndpoints,
    method: 'replace',
    summary: 'Replace the content of a file',
    answers: { 200: FILE, ...without(400, 401, 403, 404, 408, 409, 412, 413, 415) },
    body: { type: 'application/octet-stream', schema: BINARY },
  },
  {
    endpoints: OwnershipEndpoints,
    method: 'transfer',
    summary: 'Give a file to another owner',
    answers: { 200: FILE, ...without(400, 401, 403, 404, 409, 413, 422) },
  },
  {
    endpoints: OwnershipEndpoints,
    method: 'pin',
    summary: 'Pin a file',
    answers: { 200: FILE, ...without(401, 403, 404, 409) },
  },
  {
    endpoints: OwnershipEndpoints,
    method: 'unpin',
    summary: 'Unpin a file',
    answers: { 200: FILE, ...without(401, 403, 404, 409) },
  },
  {
    endpoints: OwnershipEndpoints,
    method: 'history',
    summary: 'Tell the changes of ownership',
    answers: { 200: HISTORY, ...without(401, 403, 404) },
  },
  ...DIRECT_UPLOAD_ROUTES,
  {
    endpoints: LinksEndpoints,
    method: 'open',
    summary: 'Download the file of a signed link',
    answers: { 200: BINARY, 206: BINARY, ...without(304, 307, 404, 409, 412, 416) },
  },
  {
    endpoints: CapabilitiesEndpoints,
    method: 'read',
    summary: 'Tell which uploads would be accepted',
    answers: { 200: CAPABILITIES },
  },
  ...TUS_ROUTES,
];

const FLAG = { type: 'boolean', required: false };
const OPTIONAL = { ...TEXT, required: false };
const INPUTS: readonly [Type, Record<string, object>][] = [
  [UploadInput, { multiple: { ...TEXT, enum: ['true', 'false'], required: false } }],
  [RenameFileInput, { name: TEXT }],
  [TransferFileInput, { ownerType: TEXT, ownerId: TEXT, pin: FLAG, force: FLAG }],
  [
    ListFilesInput,
    {
      ownerType: OPTIONAL,
      ownerId: OPTIONAL,
      offset: OPTIONAL,
      limit: OPTIONAL,
      cursor: OPTIONAL,
      sort: OPTIONAL,
      filters: OPTIONAL,
    },
  ],
  ...DIRECT_UPLOAD_INPUTS,
];

/** A field of an action's body that takes files. */
interface DescribedField {
  readonly dtoClass: abstract new (...args: never[]) => object;
  readonly property: string;
  readonly isList: boolean;
}

let isDescribed = false;

/** Describes the routes for OpenAPI, once. */
export function describeRoutes(): void {
  if (isDescribed) return;
  isDescribed = true;
  for (const route of ROUTES) describeRoute(route);
  for (const [{ prototype }, properties] of INPUTS) {
    for (const [name, schema] of Object.entries(properties)) describeProperty(prototype as object, name, schema);
  }
}

/** Describes the route of a kind of derived files. */
export function describeDerived(handler: object, kind: string): void {
  describeHandler(handler, { summary: `Download the ${kind} of a file`, answers: { ...DOWNLOAD, ...without(202) } });
}

/**
 * Declares that an action takes a form, and which of its fields are files, unless the application has declared more.
 */
export function describeAction(handler: object, fields: readonly DescribedField[]): void {
  if (!Reflect.hasMetadata(CONSUMES, handler)) {
    Reflect.defineMetadata(CONSUMES, ['multipart/form-data', 'application/json'], handler);
  }
  for (const { dtoClass, property, isList } of fields) {
    const prototype = dtoClass.prototype as object;
    const known = Reflect.getMetadata(PROPERTY, prototype, property) as { format?: string } | undefined;
    if (known?.format !== undefined) continue;
    const required = !isOptional(dtoClass, property);
    const schema = isList ? { type: 'array', items: BINARY, isArray: false, required } : { ...BINARY, required };
    describeProperty(prototype, property, schema);
  }
}

function isOptional(dtoClass: unknown, property: string): boolean {
  return rulesOf(dtoClass).some(({ propertyName, name }) => propertyName === property && name === 'isOptional');
}

function describeRoute({ endpoints, method, ...description }: Route): void {
  describeHandler((endpoints.prototype as Record<string, object>)[method] as object, description);
}

function describeHandler(handler: object, { summary, answers, body }: Omit<Route, 'endpoints' | 'method'>): void {
  const responses = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: '', ...(schema && { schema }) },
  ]);
  Reflect.defineMetadata(OPERATION, { summary }, handler);
  Reflect.defineMetadata(RESPONSES, Object.fromEntries(responses), handler);
  if (!body) return;
  Reflect.defineMetadata(CONSUMES, [body.type], handler);
  Reflect.defineMetadata(PARAMETERS, [{ in: 'body', type: String, required: true, schema: body.schema }], handler);
}

function describeProperty(prototype: object, property: string, schema: object): void {
  const listed = (Reflect.getMetadata(PROPERTIES, prototype) ?? []) as string[];
  if (!listed.includes(`:${property}`)) Reflect.defineMetadata(PROPERTIES, [...listed, `:${property}`], prototype);
  const known = Reflect.getMetadata(PROPERTY, prototype, property) as object | undefined;
  Reflect.defineMetadata(PROPERTY, { ...known, ...schema }, prototype, property);
}
