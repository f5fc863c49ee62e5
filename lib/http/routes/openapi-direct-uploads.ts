import type { Type } from '@nestjs/common';
import { DirectUploadsEndpoints } from './direct-uploads-endpoints.js';
import { BeginUploadInput, SignPartsInput } from './inputs.js';
import { FILE, INSTANT, NULLABLE_TEXT, TEXT } from './openapi-schemas.js';
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
    answers: { 201: { oneOf: [WHOLE, IN_PARTS] }, 400: undefined, 409: undefined, 413: undefined },
  },
  { endpoints, method: 'read', summary: 'Tell how far an upload is', answers: { 200: STATE, 404: undefined } },
  {
    endpoints,
    method: 'sign',
    summary: 'Sign the requests for parts of an upload',
    answers: { 200: PARTS, 400: undefined, 404: undefined },
  },
  {
    endpoints,
    method: 'complete',
    summary: 'Make a file of an upload',
    answers: { 201: FILE, 400: undefined, 404: undefined, 409: undefined, 415: undefined },
  },
  { endpoints, method: 'abort', summary: 'Give an upload up', answers: { 204: undefined, 404: undefined } },
];

const OPTIONAL = { ...TEXT, required: false };

/** Their input. */
export const DIRECT_UPLOAD_INPUTS: readonly [Type, Record<string, object>][] = [
  [BeginUploadInput, { name: TEXT, size: SIZE, contentType: OPTIONAL, storage: OPTIONAL, checksum: OPTIONAL }],
  [SignPartsInput, { numbers: { ...NUMBERS, isArray: false } }],
];
