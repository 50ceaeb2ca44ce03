/** The window's page lives here; nothing else may speak with the main process. */
export const PAGE_ORIGIN = 'app://trainyard';
