/** Every error of the library. `code` is stable; the message is for people and may change. */
export abstract class FilesError extends Error {
  /** Names the kind of error, for programs: `FILES_…`. It does not change. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
