import { Trace } from './trace.js';

/** The names of the tracing channels, for `tracingChannel()` of `node:diagnostics_channel`. */
export const FILES_CHANNELS = {
  /** Units of work: `UnitTrace`. */
  unit: 'nestjs-files:unit',
  /** Drains of their queues: `DrainTrace`. */
  drain: 'nestjs-files:drain',
  /** Tasks: `TaskTrace`. */
  task: 'nestjs-files:task',
  /** Changes of owner: `TransferTrace`. */
  transfer: 'nestjs-files:transfer',
  /** Bytes that come: `UploadTrace`. */
  upload: 'nestjs-files:upload',
  /** Bytes that go: `DownloadTrace`. */
  download: 'nestjs-files:download',
  /** Sweeps: `SweepTrace`. */
  sweep: 'nestjs-files:sweep',
  /** Audits: `AuditTrace`. */
  audit: 'nestjs-files:audit',
  /** Jobs that are queued: `EnqueueTrace`. */
  enqueue: 'nestjs-files:enqueue',
  /** Runs of jobs: `JobTrace`. */
  job: 'nestjs-files:job',
} as const;

/** A unit of work, from BEGIN to the end of its effects. One that is run again is another trace. */
export interface UnitTrace {
  /** The decorated method, or the name given to `TaskQueue.run()`. */
  readonly name?: string | undefined;
  /** `root`: in a new transaction. `nested`: in another unit's. `joined`: in the application's. */
  readonly kind: 'root' | 'nested' | 'joined';
  /** 1, and one more for each time it was run again. */
  readonly attempt: number;
  /** How many tasks were run. */
  tasks: number;
  /** The outcome of its transaction, or of its savepoint; undefined if none was opened. */
  outcome?: 'commit' | 'rollback' | 'unknown';
}

/** The drain of a unit's queue. */
export interface DrainTrace {
  /** The number of waiting tasks; at the end, that of the tasks that were run. */
  tasks: number;
}

/** A task, or several that run as one batch. */
export interface TaskTrace {
  /** The name of the function or of the class. */
  readonly name: string;
  /** Place in the drain, of the first one in a batch. */
  readonly idx: number;
  /** How many tasks ran as one batch. */
  readonly count: number;
}

/** A change of owner of one file or several. */
export interface TransferTrace {
  /** The files. */
  readonly fileIds: readonly string[];
  /** The new owners, one for all or one for each file; undefined until they are known. */
  owners?: readonly {
    /** The owner's type. */
    readonly type: string;
    /** The owner's id. */
    readonly id: string;
  }[];
}

/** Bytes on their way into a storage. */
export interface UploadTrace {
  /** The purpose of the bytes. */
  readonly operation: 'create' | 'replace';
  /** The name of the storage. */
  readonly storage: string;
  /** The file's id. A new file has it once the upload is committed. */
  readonly fileId: string;
  /** Known once all bytes are there. */
  bytes?: number;
  /** The content type of the bytes. */
  contentType?: string;
}

/** Bytes on their way out, until the stream is closed. An error means a lost reader or a failed storage. */
export interface DownloadTrace {
  /** The file. */
  readonly fileId: string;
  /** The name of the storage. */
  readonly storage: string;
  /** How many bytes were asked for. */
  readonly bytes: number;
}

/** A sweep, which removes what crashes have left. */
export interface SweepTrace {
  /** Intents and markers that were due. */
  examined: number;
  /** How many of these are finished: their bytes are gone now. */
  finished: number;
  /** Failures, which are tried again. */
  failed: number;
  /** As far as the storages tell sizes. */
  bytesRemoved: number;
}

/** An audit, until its loop ends. */
export interface AuditTrace {
  /** Rows of guarded classes that were read. */
  records: number;
  /** Files that were looked at. */
  files: number;
  /** What was found. */
  findings: number;
}

/** What travels with a job from the call that queues it to its runs, such as `traceparent`. */
export type JobCarrier = Record<string, string>;

/** A job that a unit of work queues; it is written only if the unit is committed. */
export interface EnqueueTrace {
  /** The job's name. */
  readonly job: string;
  /** The job's id. */
  readonly id: string;
  /** Empty; a subscriber to `start` may put in what its runs are to be linked with. */
  readonly carrier: JobCarrier;
}

/** One run of a job, from its unit of work to what became of it. An error is one of the handler or of the commit. */
export interface JobTrace {
  /** The job's name. */
  readonly job: string;
  /** The job's id. */
  readonly id: string;
  /** 1, and one more for each time it was run again. */
  readonly attempt: number;
  /** What was put in when it was queued. */
  readonly carrier: JobCarrier;
}

export const unitTrace = new Trace<UnitTrace>(FILES_CHANNELS.unit, {
  context: 'UnitOfWork',
  text: ({ name = 'A unit of work', kind, attempt, outcome, tasks }) => {
    const end = { commit: 'was committed', rollback: 'was rolled back', unknown: 'may be committed' };
    const again = attempt > 1 ? `, attempt ${attempt}` : '';
    return `${name} (${kind}${again}) ${outcome ? end[outcome] : 'was not begun'}: ${tasks} task(s),`;
  },
});

export const drainTrace = new Trace<DrainTrace>(FILES_CHANNELS.drain);

export const taskTrace = new Trace<TaskTrace>(FILES_CHANNELS.task);

export const transferTrace = new Trace<TransferTrace>(FILES_CHANNELS.transfer, {
  context: 'Ownership',
  text: ({ fileIds, owners = [] }) => {
    const to = owners.slice(0, 3).map(({ type, id }) => `${type} ${id}`);
    return `Transfer of ${fileIds.length} file(s) to ${[...new Set(to)].join(', ') || 'nobody'}${owners.length > 3 ? ', …' : ''}`;
  },
});

export const uploadTrace = new Trace<UploadTrace>(FILES_CHANNELS.upload, {
  context: 'Upload',
  text: ({ operation, storage, bytes, contentType = 'unknown type' }) =>
    `Upload (${operation}) of ${bytes ?? 'unknown'} bytes, ${contentType}, to storage "${storage}"`,
});

export const downloadTrace = new Trace<DownloadTrace>(FILES_CHANNELS.download);

export const sweepTrace = new Trace<SweepTrace>(FILES_CHANNELS.sweep, {
  context: 'FilesSweeper',
  text: ({ examined, finished, bytesRemoved }) =>
    `Sweep: ${examined} examined, ${finished} finished, ${bytesRemoved} bytes removed,`,
});

export const auditTrace = new Trace<AuditTrace>(FILES_CHANNELS.audit, {
  context: 'FilesAudit',
  text: ({ records, files, findings }) => `Audit of ${records} record(s) and ${files} file(s): ${findings} finding(s),`,
});

export const enqueueTrace = new Trace<EnqueueTrace>(FILES_CHANNELS.enqueue);

export const jobTrace = new Trace<JobTrace>(FILES_CHANNELS.job, {
  context: 'FilesJobs',
  text: ({ job, id, attempt }) => `Job "${job}" (${id}), attempt ${attempt},`,
});
