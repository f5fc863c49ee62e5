import { TusEndpoints } from '../tus/tus-endpoints.js';
import type { Route } from './openapi-schemas.js';

const endpoints = TusEndpoints;
const REFUSED = { 400: undefined, 404: undefined, 409: undefined, 412: undefined, 413: undefined, 415: undefined };

/** The routes of resumable uploads: all that they take and answer is in headers and bytes. */
export const TUS_ROUTES: readonly Route[] = [
  {
    endpoints,
    method: 'capabilities',
    summary: 'Tell what resumable uploads can do',
    answers: { 204: undefined },
  },
  {
    endpoints,
    method: 'capabilitiesOfUpload',
    summary: 'Tell what resumable uploads can do',
    answers: { 204: undefined },
  },
  { endpoints, method: 'create', summary: 'Begin a resumable upload', answers: { 201: undefined, ...REFUSED } },
  {
    endpoints,
    method: 'find',
    summary: 'Tell how much of a resumable upload is there',
    answers: { 200: undefined, 404: undefined, 412: undefined },
  },
  {
    endpoints,
    method: 'append',
    summary: 'Append bytes to a resumable upload',
    answers: { 204: undefined, ...REFUSED, 423: undefined, 460: undefined },
  },
  {
    endpoints,
    method: 'abort',
    summary: 'Give a resumable upload up',
    answers: { 204: undefined, 404: undefined, 412: undefined },
  },
  {
    endpoints,
    method: 'override',
    summary: 'Send a request for a resumable upload by POST',
    answers: { 200: undefined, 204: undefined, ...REFUSED },
  },
];
