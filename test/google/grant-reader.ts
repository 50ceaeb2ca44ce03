import type { GrantedBinding } from './grant-shell.ts';

/** What a person reads out of the console's steps, or out of the message, and then does. */
export interface ReadGrants {
  /** The custom role that is to be made; null where there is none. */
  readonly customRole: { readonly id: string; readonly permissions: string } | null;
  readonly managedFolders: readonly { readonly bucket: string; readonly name: string }[];
  readonly bindings: readonly GrantedBinding[];
}

/** Roles by their title in the console. */
const TITLES: Readonly<Record<string, string>> = {
  'Storage Object Viewer': 'roles/storage.objectViewer',
  'Storage Object Creator': 'roles/storage.objectCreator',
};
const customIn = (id: string): string => `projects/demo-project/roles/${id}`;

/** The numbered steps of a text, each with its lines, without the indentation. */
function stepsIn(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/^\d+\. (.*(?:\n {3}.*)*)/gm)].map(([, step = '']) =>
    step.split('\n').map((line) => line.trim()),
  );
}

/** The rest of the line that begins with `label`; throws where there is none. */
function after(lines: readonly string[], label: string): string {
  const line = lines.find((one) => one.startsWith(label));
  if (line === undefined) throw new Error(`There is no line "${label}" in:\n${lines.join('\n')}`);
  return line.slice(label.length).trim();
}

const lineAfter = (lines: readonly string[], label: string): string => {
  const at = lines.findIndex((line) => line.startsWith(label));
  const next = lines[at + 1];
  if (at < 0 || next === undefined) throw new Error(`Nothing follows "${label}".`);
  return next;
};

export function readConsole(text: string): ReadGrants {
  let customRole: ReadGrants['customRole'] = null;
  const titles = new Map(Object.entries(TITLES));
  const managedFolders: { bucket: string; name: string }[] = [];
  const bindings: GrantedBinding[] = [];
  for (const lines of stepsIn(text)) {
    const [head = ''] = lines;
    const folder = /Buckets, ([^,]+), Create folder, (.*) \(unless it is there\)/.exec(head);
    const place =
      /Buckets, ([^,]+), (?:and there Permissions, Grant access|the folder (.*), and in its menu Edit access, Add principal) \(/.exec(
        head,
      );
    if (/IAM & Admin, Roles/.test(head)) {
      customRole = {
        id: after(lines, 'ID:'),
        permissions: after(lines, 'Add permissions:').replace(', and no other', ''),
      };
      titles.set(`${after(lines, 'Title:')} (under Custom)`, customIn(customRole.id));
    } else if (folder !== null)
      managedFolders.push({ bucket: folder[1] ?? '', name: folder[2] ?? '' });
    else if (place !== null)
      bindings.push({
        url: `gs://${place[1] ?? ''}${place[2] === undefined ? '' : `/${place[2]}`}`,
        role: titles.get(after(lines, 'Role:')) ?? `not known: ${after(lines, 'Role:')}`,
        member: `serviceAccount:${after(lines, 'New principals:')}`,
        condition: lines.includes('Condition: none')
          ? null
          : {
              title: after(lines, 'Title:'),
              expression: lineAfter(lines, 'Condition editor:'),
            },
      });
    else throw new Error(`It is not said what to do: ${head}`);
  }
  return { customRole, managedFolders, bindings };
}

export function readMessage(text: string): ReadGrants {
  const account = /give the service account\n\n {3}(\S+)\n/.exec(text)?.[1];
  if (account === undefined) throw new Error('The message names no account.');
  let customRole: ReadGrants['customRole'] = null;
  const managedFolders: { bucket: string; name: string }[] = [];
  const bindings: GrantedBinding[] = [];
  for (const lines of stepsIn(text)) {
    const [head = ''] = lines;
    const made = /^A custom role (\w+) in .* with the one permission ([\w.]+)\. /.exec(head);
    const folder = /^A managed folder gs:\/\/([^/]+)\/(.*), unless it is there\.$/.exec(head);
    const granted =
      /^.* \(([\w./]+)\) on the (?:bucket (gs:\/\/[^,/]+)|managed folder (gs:\/\/.*?\/)), to /.exec(
        head,
      );
    if (made !== null) customRole = { id: made[1] ?? '', permissions: made[2] ?? '' };
    else if (folder !== null)
      managedFolders.push({ bucket: folder[1] ?? '', name: folder[2] ?? '' });
    else if (granted !== null) {
      const role = granted[1] ?? '';
      const title = /^With the condition "(.*)":$/.exec(lines[1] ?? '')?.[1];
      if (title === undefined && lines[1] !== 'Without a condition.')
        throw new Error(`It is not said whether there is a condition: ${head}`);
      bindings.push({
        url: granted[2] ?? granted[3] ?? '',
        role: role === customRole?.id ? customIn(role) : role,
        member: `serviceAccount:${account}`,
        condition:
          title === undefined
            ? null
            : { title, expression: lineAfter(lines, 'With the condition') },
      });
    } else throw new Error(`It is not said what to do: ${head}`);
  }
  return { customRole, managedFolders, bindings };
}
