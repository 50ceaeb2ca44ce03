type Variables = Readonly<Record<string, string>>;

/**
 * The variables of a job over those that its workers inherit. A value may name its own variable, as in `PATH: "/x:$PATH"`: that is what the worker
 * would have without it. Where there is nothing, the `:` between goes too, which would mean the current folder. Nothing else is replaced. Pure.
 */
export function withOwnVariables(inherited: Variables, own: Variables): Record<string, string> {
  const variables: Record<string, string> = { ...inherited };
  for (const [name, value] of Object.entries(own))
    variables[name] = withItself(name, value, inherited[name] ?? '');
  return variables;
}

function withItself(name: string, value: string, before: string): string {
  const itself = `\\$(?:\\{${name}\\}|${name}(?![A-Za-z0-9_]))`;
  if (before !== '') return value.replaceAll(new RegExp(itself, 'g'), () => before);
  return value
    .replaceAll(new RegExp(`:${itself}(?=:|$)`, 'g'), '')
    .replaceAll(new RegExp(`^${itself}:`, 'g'), '')
    .replaceAll(new RegExp(itself, 'g'), '');
}
