/** The stages a run passes through, in order. Here and not with the events: the window's first screen needs them, and no schemas. */
export const STAGES = ['staging', 'waiting', 'running', 'uploading'] as const;
export type Stage = (typeof STAGES)[number];

/** The one stage of a transfer, which stages and runs nothing else. */
export const TRANSFER_STAGE = {
  download: 'staging',
  upload: 'uploading',
} as const satisfies Record<string, Stage>;
