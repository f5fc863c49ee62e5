/** The properties of a history row, in the order in which every form of the statement inserts them. */
export const HISTORY_COLUMNS = [
  'id',
  'fileId',
  'action',
  'fromType',
  'fromId',
  'toType',
  'toId',
  'forced',
  'actorType',
  'actorId',
  'at',
] as const;
