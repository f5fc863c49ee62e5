/** An error of an S3 server, or of the connection to it. */
export class S3Fault extends Error {
  /** The status of HTTP; `undefined` where no answer came. */
  readonly status: number | undefined;
  /** As S3 calls it: `NoSuchKey`. */
  readonly code: string;

  constructor(cause: unknown) {
    const { name = '', message = '', code, $metadata } = cause as Partial<Fault>;
    const status = $metadata?.httpStatusCode;
    // A HEAD is answered without a body, and connections to several addresses fail without a message.
    const text = [name, message, code].filter((part) => part && !MEANINGLESS.includes(part)).join(': ');
    super(status === undefined ? text || String(cause) : `the server answered ${status} ${text}`.trim(), { cause });
    this.status = status;
    this.code = name;
  }
}

interface Fault {
  name: string;
  message: string;
  code: string;
  $metadata: { httpStatusCode?: number };
}

const MEANINGLESS = ['Error', 'UnknownError', 'Unknown', 'AggregateError'];

/** The result of the SDK. Its errors become an `S3Fault`. */
export async function answerTo<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new S3Fault(error);
  }
}

/** Whether the server answered with one of these statuses. */
export function isAnswer(error: unknown, ...statuses: number[]): boolean {
  return error instanceof S3Fault && error.status !== undefined && statuses.includes(error.status);
}

/** Whether the error says that the object is missing. A missing bucket is another error, except for HEAD. */
export function isMissingObject(error: unknown): boolean {
  return isAnswer(error, 404) && (error as S3Fault).code === 'NoSuchKey';
}
