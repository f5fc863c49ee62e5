import type { Type } from '@nestjs/common';
import { DirectUploadsEndpoints } from './direct-uploads-endpoints.js';
import { BeginUploadInput, SignPartsInput } from './inputs.js';
import { FILE, INSTANT, NULLABLE_TEXT, TEXT, without } from './openapi-schemas.js';
import type { Route } from './openapi-schemas.js';

const SIZE = { type: 'integer', format: 'int64' };
const COUNT = { type: 'integer' };
const NUMBERS = { type: 'array', items: COUNT };
const ID = { type: 'string', format: 'uuid' };

const SIGNED = { method: TEXT, url: TEXT, headers: { type: 'object', additionalProperties: TEXT } };
const WHOLE = { type: 'object', properties: { id: ID, expiresAt: INSTANT, ...SIGNED } };
const IN_PARTS = { type: 'object', properties: { id: ID, expiresAt: INSTANT, partSize: SIZE, parts: COUNT } };
const PARTS = {
  type: 'object',
  properties: {
    parts: { type: 'array', items: { type: 'object', properties: { number: COUNT, size: SIZE, ...SIGNED } } },
  },
};
const STATE = {
  type: 'object',
  properties: {
    id: ID,
    name: TEXT,
    storage: TEXT,
    size: SIZE,
    contentType: NULLABLE_TEXT,
    expiresAt: INSTANT,
    state: { type: 'string', enum: ['open', 'completed'] },
    partSize: SIZE,
    parts: COUNT,
    uploaded: NUMBERS,
  },
};

const endpoints = DirectUploadsEndpoints;

/** The routes of uploads that clients send to the storage themselves. */
export const DIRECT_UPLOAD_ROUTES: readonly Route[] = [
  {
    endpoints,
    method: 'begin',
    summary: 'Begin an upload to the storage',
    answers: { 201: { oneOf: [WHOLE, IN_PARTS] }, ...without(400, 401, 403, 409, 413, 415) },
  },
  { endpoints, method: 'read', summary: 'Tell how far an upload is', answers: { 200: STATE, ...without(401, 404) } },
  {
    endpoints,
    method: 'sign',
    summary: 'Sign the requests for parts of an upload',
    answers: { 200: PARTS, ...without(400, 401, 404) },
  },
  {
    endpoints,
    method: 'complete',
    summary: 'Make a file of an upload',
    answers: { 201: FILE, ...without(400, 401, 404, 409, 413, 415) },
  },
  { endpoints, method: 'abort', summary: 'Give an upload up', answers: without(204, 401, 404) },
];

const OPTIONAL = { ...TEXT, required: false };

/** Their input. */
export const DIRECT_UPLOAD_INPUTS: readonly [Type, Record<string, object>][] = [
  [BeginUploadInput, { name: TEXT, size: SIZE, contentType: OPTIONAL, storage: OPTIONAL, checksum: OPTIONAL }],
  [SignPartsInput, { numbers: { ...NUMBERS, isArray: false } }],
];
