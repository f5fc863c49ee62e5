import { AddDirectUploads1767225600002 } from './add-direct-uploads.migration.js';
import { AddDraftExpiry1767225600006 } from './add-draft-expiry.migration.js';
import { AddJobs1767225600003 } from './add-jobs.migration.js';
import { AddResumableUploads1767225600004 } from './add-resumable-uploads.migration.js';
import { AddScans1767225600005 } from './add-scans.migration.js';
import { AddStorageMarks1767225600001 } from './add-storage-marks.migration.js';
import { CreateFilesTables1767225600000 } from './create-files-tables.migration.js';

/** The migrations of the library, for TypeORM's own runner: `migrations: [...FILES_MIGRATIONS, …]`. */
export const FILES_MIGRATIONS = [
  CreateFilesTables1767225600000,
  AddStorageMarks1767225600001,
  AddDirectUploads1767225600002,
  AddJobs1767225600003,
  AddResumableUploads1767225600004,
  AddScans1767225600005,
  AddDraftExpiry1767225600006,
] as const;
