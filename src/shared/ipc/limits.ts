/** The most characters that a log is searched for. */
export const MAX_SEARCH = 200;
