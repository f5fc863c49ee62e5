/** A schema of any library that follows https://standardschema.dev. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What the specification asks of a schema. */
  readonly '~standard': {
    /** Of the specification. */
    readonly version: 1;
    /** The library that the schema is of. */
    readonly vendor: string;
    /** Gives what the schema makes of the value, or what is wrong with it. */
    readonly validate: (
      value: unknown,
      options?: { readonly libraryOptions?: Record<string, unknown> | undefined },
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Only for the compiler: what the schema takes, and what it makes of it. */
    readonly types?: SchemaTypes<Input, Output> | undefined;
  };
}

interface SchemaTypes<Input, Output> {
  readonly input: Input;
  readonly output: Output;
}

/** What a schema made of a value, or what is wrong with it. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema makes of a value that it accepts. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];
