/**
 * The same outcome. A failure that comes when it is over goes to `tell`, and is no unhandled rejection, which would end the process: nobody may
 * be left to hear of it.
 */
export function quietOnceOver<T>(work: Promise<T>, isOver: () => boolean, tell: (error: unknown) => void): Promise<T> {
  const promise = work.catch((error: unknown) => {
    if (isOver()) promise.catch(tell);
    throw error;
  });
  return promise;
}
