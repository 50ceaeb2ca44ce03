/** Whether `out/` holds what the sources are now. */
export function buildIsCurrent(): boolean;
