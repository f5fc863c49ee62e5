/** A schema of any library that follows https://standardschema.dev. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The members that the specification requires of a schema. */
  readonly '~standard': {
    /** Of the specification. */
    readonly version: 1;
    /** The library that the schema is of. */
    readonly vendor: string;
    /** Gives the output of the schema for the value, or its problems. */
    readonly validate: (
      value: unknown,
      options?: { readonly libraryOptions?: Record<string, unknown> | undefined },
    ) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** The input and output types of the schema, for the compiler only. */
    readonly types?: SchemaTypes<Input, Output> | undefined;
  };
}

interface SchemaTypes<Input, Output> {
  readonly input: Input;
  readonly output: Output;
}

/** The output of a schema for a value, or its problems. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The output of a schema for an accepted value. */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema['~standard']['types']>['output'];
