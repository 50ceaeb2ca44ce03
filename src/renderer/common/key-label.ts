/** A key, as lists and choices tell it. */
export interface NamedKey {
  readonly name: string;
  readonly email?: string;
  /** It was found that it can administer its project. */
  readonly admin: boolean;
}

/** `lab (trainer@demo.iam.gserviceaccount.com)`; an administrator's key is marked wherever it is named. Pure. */
export const keyLabel = ({ name, email, admin }: NamedKey): string =>
  `${name}${email === undefined ? '' : ` (${email})`}${admin ? ' · administrator’s key' : ''}`;

/** The key that a screen begins with: never one that can administer a project, which somebody has to choose. Pure. */
export const keyToBeginWith = <Key>(
  keys: readonly Key[],
  isAdmin: (key: Key) => boolean,
): Key | undefined => keys.find((key) => !isAdmin(key));
