/** What a program says that wants a key as a file: the variable that names it, and the functions of Google's libraries that read one. */
const WORDS = /GOOGLE_APPLICATION_CREDENTIALS|from_service_account_(?:json|file)/;

/** The first of those words in a text; null where there is none. Pure. */
export function keyFileWord(text: string): string | null {
  return WORDS.exec(text)?.[0] ?? null;
}

/** Where a job mentions a key file: a path inside the code, or what it is of the job file; and the word. */
export interface KeyFileMention {
  readonly where: string;
  readonly word: string;
}

/** A mention in the commands of a job. Pure. */
export function mentionInCommands(job: {
  readonly setup?: string | undefined;
  readonly workers: readonly string[];
}): KeyFileMention | null {
  const word = keyFileWord(job.workers.join('\n'));
  if (word !== null) return { where: 'A command', word };
  const ofSetup = keyFileWord(job.setup ?? '');
  return ofSetup === null ? null : { where: 'Setup', word: ofSetup };
}
