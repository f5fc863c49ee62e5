import { readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** The API reference: everything that can be imported, `npm run docs`. What has no documentation fails it. */
export default {
  name: 'nestjs-files',
  entryPoints: Object.values(exports)
    .filter((entry) => typeof entry !== 'string')
    .map(({ types }) => types.replace('./dist/', 'lib/').replace(/\.d\.ts$/, '.ts')),
  tsconfig: 'tsconfig.build.json',
  out: 'docs/api',
  readme: 'none',
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  disableSources: true,
  validation: { notExported: true, notDocumented: true, invalidLink: true },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  // Parts of types that are told apart only in the code, and parameters that no application passes.
  intentionallyNotExported: [
    'Amount',
    'AttachmentTarget',
    'AddStorageMarks1767225600001',
    'AddDirectUploads1767225600002',
    'AddDraftExpiry1767225600006',
    'AddJobs1767225600003',
    'AddResumableUploads1767225600004',
    'AddScans1767225600005',
    'AnyRule',
    'AsyncMethod',
    'ByOwnerType',
    'ColumnFilter',
    'CreateFilesTables1767225600000',
    'DataFilter',
    'ERROR_STATUS',
    'EntityClass',
    'FieldOf',
    'FILES_ROUTES',
    'JobData',
    'JobMethod',
    'JsonOperators',
    'JsonScalar',
    'OpenContent',
    'Operators',
    'PathFilter',
    'RulesOf',
    'SchemaResult',
    'ScannedMethod',
    'SchemaTypes',
    'SortTerm',
    'StoredMethod',
    'TransferTarget',
    'TusOptions',
    'TusUpload',
  ],
};
