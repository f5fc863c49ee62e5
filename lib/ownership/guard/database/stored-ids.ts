import type { DataSource } from 'typeorm';
import { ownerIdOf } from '../../../files/owner-reference.js';
import type { OwnerColumn } from '../../owner-entities.js';
import { filesNamedBy } from '../guarded-entities.js';
import type { GuardedField } from '../guarded-entities.js';
import type { StoredColumn } from './stored-table.js';

/** How a column holds ids: as one, as an array, as JSON, or as a text with commas. */
export type IdForm = 'uuid' | 'text' | 'array' | 'json' | 'commas';

const SAMPLE = '0199c0de-0000-7000-8000-000000000001';
const SAMPLES = [SAMPLE, '0199c0de-0000-7000-8000-000000000002'];
const INTEGERS = new Set(['smallint', 'integer', 'bigint']);

/**
 * How the field's column holds ids. The database does not know transformers: undefined if the application reads and
 * writes other values than ids there.
 */
export function idForm(dataSource: DataSource, field: GuardedField, { type }: StoredColumn): IdForm | undefined {
  const { transformer, type: declared } = field.column;
  if (type === 'uuid') return 'uuid';
  if (type === 'uuid[]') return 'array';
  const form = formOf(type, declared);
  if (!transformer) return form;
  const forms: IdForm[] = form === 'text' ? ['commas', 'json', 'text'] : [form];
  return forms.find((one) => keepsIds(dataSource, field, one, type));
}

/** Whether the owner id is stored as the application reads it. */
export function isPlainId({ driver }: DataSource, column: OwnerColumn, { type }: StoredColumn): boolean {
  if (!column.transformer) return true;
  const sample = type === 'uuid' ? SAMPLE : INTEGERS.has(type) ? 42 : 'x1';
  try {
    const read: unknown = driver.prepareHydratedValue(sample, column);
    return ownerIdOf(read) === String(sample) && String(driver.preparePersistentValue(read, column)) === String(sample);
  } catch {
    return false;
  }
}

export function isInteger({ type }: StoredColumn): boolean {
  return INTEGERS.has(type);
}

function formOf(type: string, declared: unknown): IdForm {
  if (type.endsWith('[]')) return 'array';
  if (type === 'json' || type === 'jsonb' || declared === 'simple-json') return 'json';
  return declared === 'simple-array' ? 'commas' : 'text';
}

/**
 * Whether ids in this form are read as they are, and written so again: a transformer may refuse them, or do anything
 * with them.
 */
function keepsIds(dataSource: DataSource, field: GuardedField, form: IdForm, type: string): boolean {
  const { driver } = dataSource;
  const ids = form === 'text' ? [SAMPLE] : SAMPLES;
  try {
    const read: unknown = driver.prepareHydratedValue(sampleOf(form, type), field.column);
    const written = idsAs(form, driver.preparePersistentValue(read, field.column));
    return [filesNamedBy(dataSource, field, read).ids, written].every(
      (found) => String(found).toLowerCase() === String(ids),
    );
  } catch {
    return false;
  }
}

/** As the driver of PostgreSQL reads it. */
function sampleOf(form: IdForm, type: string): unknown {
  if (form === 'text') return SAMPLE;
  if (form === 'commas') return SAMPLES.join(',');
  return form === 'array' || type.startsWith('json') ? SAMPLES : JSON.stringify(SAMPLES);
}

function idsAs(form: IdForm, written: unknown): unknown {
  return form === 'json' && typeof written === 'string' ? (JSON.parse(written) as unknown) : written;
}
