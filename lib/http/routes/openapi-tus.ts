import { TusEndpoints } from '../tus/tus-endpoints.js';
import { without } from './openapi-schemas.js';
import type { Route } from './openapi-schemas.js';

const endpoints = TusEndpoints;
const REFUSED = [400, 401, 403, 404, 408, 409, 412, 413, 415];

/** The routes of resumable uploads: all that they take and answer is in headers and bytes. */
export const TUS_ROUTES: readonly Route[] = [
  {
    endpoints,
    method: 'capabilities',
    summary: 'Tell what resumable uploads can do',
    answers: without(204),
  },
  {
    endpoints,
    method: 'capabilitiesOfUpload',
    summary: 'Tell what resumable uploads can do',
    answers: without(204),
  },
  { endpoints, method: 'create', summary: 'Begin a resumable upload', answers: without(201, ...REFUSED, 460) },
  {
    endpoints,
    method: 'find',
    summary: 'Tell how much of a resumable upload is there',
    answers: without(200, 401, 404, 412),
  },
  {
    endpoints,
    method: 'append',
    summary: 'Append bytes to a resumable upload',
    answers: without(204, ...REFUSED, 423, 460),
  },
  {
    endpoints,
    method: 'abort',
    summary: 'Give a resumable upload up',
    answers: without(204, 401, 404, 412, 423),
  },
  {
    endpoints,
    method: 'override',
    summary: 'Send a request for a resumable upload by POST',
    answers: without(200, 204, ...REFUSED, 423, 460),
  },
];
