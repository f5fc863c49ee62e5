/** The words of `<file-field>`. */
export interface FieldTexts {
  /** The button that opens the picker, where the element has no `label`. */
  pick: string;
  /** Beside that button. */
  drop: string;
  /** The state of a file that comes after another one. */
  waiting: string;
  /** The state of a file that is being uploaded. */
  sending: string;
  /** The state of a file whose upload was paused. */
  paused: string;
  /** The state of a file that was not uploaded; its reason takes the place of it. */
  failed: string;
  /** The state of a file that is uploaded. */
  done: string;
  /** Said to screen readers. */
  uploaded: string;
  /** Said to screen readers. */
  removed: string;
  /** A button. */
  pause: string;
  /** A button. */
  resume: string;
  /** A button. */
  retry: string;
  /** A button. */
  cancel: string;
  /** A button. */
  remove: string;
  /** Why the form cannot be sent: the field is required. */
  missing: string;
  /** Why the form cannot be sent: a file is not uploaded yet. */
  unfinished: string;
  /** Why a file is not uploaded: it does not fit the attribute `accept`. */
  wrongType: string;
}

/** The words of all fields: change them here, or for one field by its property `texts`. */
export const fieldTexts: FieldTexts = {
  pick: 'Choose a file',
  drop: 'or drop it here, or paste it',
  waiting: 'waiting',
  sending: 'uploading',
  paused: 'paused',
  failed: 'failed',
  done: '',
  uploaded: 'uploaded',
  removed: 'removed',
  pause: 'Pause',
  resume: 'Resume',
  retry: 'Try again',
  cancel: 'Cancel',
  remove: 'Remove',
  missing: 'Choose a file.',
  unfinished: 'Wait until the upload has ended.',
  wrongType: 'This kind of file is not accepted here.',
};
