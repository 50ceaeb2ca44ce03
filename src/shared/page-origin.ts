/** The window's page lives here; nothing else may speak with the main process. */
export const PAGE_ORIGIN = 'app://trainyard';

/** The query of the page's address that keeps logs closed until they are asked for. */
export const WITHOUT_LOG = 'without-log';
