export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface Request {
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: RequestInit['body'];
  readonly needsBytes?: boolean;
}

/** What was answered; status 0 where nothing was. */
export async function answerOf(url: string, init: RequestInit): Promise<Answer> {
  let headers = new Headers();
  try {
    const response = await fetch(url, init);
    ({ headers } = response);
    return { status: response.status, headers, body: await response.text() };
  } catch (error) {
    return { status: 0, headers, body: String((error as Error).cause ?? error) };
  }
}

/** A package with an attachment, and a resource for each of the other files. */
export function packageOf(name: string, attachmentId: string | undefined, others: readonly [string, Buffer][]) {
  return {
    name,
    title: name,
    visibility: 'public',
    ...(attachmentId !== undefined && { attachmentId }),
    resources: others.map(([fileId], at) => ({ name: `r${at}`, fileId })),
  };
}

export function json(value: unknown): Pick<Request, 'headers' | 'body'> {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
