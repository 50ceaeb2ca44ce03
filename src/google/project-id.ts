/** A project's id; those of some organisations begin with a domain and a colon (`example.com:project`). */
const PROJECT = /^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/;

export const isProjectId = (text: string): boolean => PROJECT.test(text);
