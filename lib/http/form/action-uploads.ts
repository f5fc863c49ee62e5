import type { IncomingMessage } from 'node:http';
import { Injectable, Inject } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import { RouteExplorer } from '../../task-queue/route-explorer.js';
import { carriesUploads, uploadFieldAt } from '../../staging/upload-fields.js';
import { leaveFormsRaw, rawRequest } from './raw-body.js';
import { FileNameInvalidError } from '../../errors/files.errors.js';
import { UploadMalformedError, UploadAbortedError } from '../../errors/requests.errors.js';
import { DecorationInvalidError } from '../../errors/setup.errors.js';
import { emptyFields } from '../../staging/empty-fields.js';
import { FileStaging } from '../../staging/file-staging.js';
import { StagedFiles } from '../../staging/staged-files.js';
import type { UploadField } from '../../staging/upload-rule.js';
import { CallPreparation } from '../../task-queue/call-preparation.js';
import type { Abandonment, PreparedCall } from '../../task-queue/call-preparation.js';
import { UPLOAD_IDLE_TIMEOUT } from './arrival.js';
import { discardRest } from './discard-rest.js';
import { fieldPath, quoted } from './field-path.js';
import { FormBody } from './form-body.js';
import { FormReader, isForm } from './form-reader.js';
import type { FilePart, FormLimits } from './form-reader.js';
import { contentOf } from './form-files.js';

/** A decorated route whose body takes files. */
interface ActionRoute {
  /** `Controller.method`, for messages. */
  readonly place: string;
  readonly handler: object;
  /** The classes of its body with `@UploadAs()` somewhere. */
  readonly bodyTypes: readonly unknown[];
}

/** Knows the decorated routes whose body takes files with the other fields of a form. */
@Injectable()
export class ActionRoutes {
  readonly #routes = new Map<object, ActionRoute>();

  // Here, because hooks of modules run when the platform has the routes already.
  constructor(explorer: RouteExplorer) {
    for (const { place, handler, isDecorated, bodyTypes } of explorer.routes()) {
      const types = bodyTypes.filter((type) => carriesUploads(type));
      if (!isDecorated || types.length === 0) continue;
      leaveFormsRaw(handler);
      this.#routes.set(handler, { place, handler, bodyTypes: types });
    }
  }

  all(): readonly ActionRoute[] {
    return [...this.#routes.values()];
  }

  find(handler: object): ActionRoute | undefined {
    return this.#routes.get(handler);
  }
}

const LIMITS: FormLimits = {
  fields: 200,
  files: 20,
  parts: 250,
  fieldSize: 64 * 1024,
  // All fields together may have a mebibyte, and the heads of parts nearly four.
  overhead: 5 * 1024 * 1024,
};

const FORM_SPENT =
  'an interceptor outside of its unit of work calls the handler again, but a form can be read only once. ' +
  'Set `retry` of @WithTaskQueue(), which repeats the unit with the files of the form.';

type PlatformRequest = (IncomingMessage | { raw: IncomingMessage }) & { body?: unknown };

/**
 * Reads the form of a route whose body has fields with `@UploadAs()`: stores the files, and gives the pipes a body that
 * has the ids of the files.
 */
@Injectable()
export class ActionUploads extends CallPreparation {
  /** The requests whose form was read, with the error that ended the reading. */
  readonly #read = new WeakMap<IncomingMessage, { error?: Error }>();

  constructor(
    private readonly routes: ActionRoutes,
    private readonly staging: FileStaging,
    @Inject(UPLOAD_IDLE_TIMEOUT) private readonly idleTimeout: number,
  ) {
    super();
  }

  prepare(context: ExecutionContext, abandonment: Abandonment): Promise<PreparedCall> | undefined {
    if (context.getType() !== 'http') return undefined;
    const route = this.routes.find(context.getHandler());
    if (!route) return undefined;
    const request = context.switchToHttp().getRequest<PlatformRequest>();
    if (isForm(rawRequest(request).headers['content-type']))
      return this.#receive(request, route, StagedFiles.open(context), abandonment);
    emptyFields(request.body, route.bodyTypes);
    return undefined;
  }

  async #receive(
    request: PlatformRequest,
    route: ActionRoute,
    files: StagedFiles,
    abandonment: Abandonment,
  ): Promise<PreparedCall> {
    const raw = rawRequest(request);
    const before = this.#read.get(raw);
    if (before) throw before.error ?? new DecorationInvalidError('@WithTaskQueue()', route.place, FORM_SPENT);
    const outcome: { error?: Error } = {};
    this.#read.set(raw, outcome);
    let form: FormReader | undefined;
    abandonment.whenAbandoned(() => form?.fail(new UploadAbortedError()));
    try {
      form = new FormReader(raw, this.idleTimeout, LIMITS);
      request.body = await this.#readForm(form, route, files);
      return files;
    } catch (error) {
      outcome.error = error as Error;
      form?.close();
      await Promise.all([discardRest(raw), files.end()]);
      throw error;
    } finally {
      form = undefined;
    }
  }

  async #readForm(form: FormReader, { bodyTypes }: ActionRoute, files: StagedFiles): Promise<Record<string, unknown>> {
    const body = new FormBody();
    for (let part = await form.next(); part !== undefined; part = await form.next()) {
      const { name } = part;
      const path = fieldPath(name);
      const field = uploadFieldAt(bodyTypes, path.at(-1) === '' ? path.slice(0, -1) : path);
      // The files of a list may all be sent under its name (`files`, `files[]`), or each under its index (`files[0]`).
      const isItem = field?.isList === true && !/^\d+$/.test(path.at(-1) ?? '');
      if (part.kind === 'field') {
        body.addText(name, path, part.value, isItem);
        continue;
      }
      if (!field) throw new UploadMalformedError(`the field ${quoted(name)} takes no files`);
      if (!field.isList && (path.at(-1) === '' || body.hasFile(path)))
        throw new UploadMalformedError(`the field ${quoted(name)} takes one file`);
      if (!(await isChosen(part))) continue;
      const file = await this.#store(part, form, field);
      files.add(file, name);
      body.addFile(name, path, file.id, isItem);
    }
    const made = body.toObject();
    emptyFields(made, bodyTypes);
    return made;
  }

  #store(part: FilePart, form: FormReader, { rule }: UploadField) {
    const { filename: name = '', contentType } = part;
    return this.staging.stage(contentOf(part, form), {
      name,
      contentType,
      storage: rule.storage,
      ownerType: rule.ownerType,
    });
  }
}

/** If no file was chosen for a field, browsers send a file without a name and without content. */
async function isChosen({ filename = '', body }: FilePart): Promise<boolean> {
  if (filename !== '') return true;
  for await (const chunk of body as AsyncIterable<Buffer>)
    if (chunk.length > 0) throw new FileNameInvalidError('', 'it is empty');
  return false;
}
