/**
 * A glob of a listing as a test of whole names (https://cloud.google.com/storage/docs/json_api/v1/objects/list-objects-using-globs): `*`, `?` and
 * classes stop at `/`, `**` does not, and as a whole part of the path it may be nothing; `{a,b}` is one of several. Null: it is no glob. Pure.
 */
export function parseGlob(glob: string): RegExp | null {
  let source = '';
  let depth = 0;
  for (let at = 0; at < glob.length;) {
    const rest = glob.slice(at);
    const [token = ''] = /^(\*\*\/|\*\*|\*|\?|\[[!^]?[^\]/]+\]|\\.|[{},]|[\s\S])/u.exec(rest) ?? [];
    at += token.length;
    if (token === '[' || token === ']' || token === '\\') return null;
    if (token === '**/') source += /(^|\/)$/.test(glob.slice(0, at - 3)) ? '(?:.*/)?' : '.*/';
    else if (token === '**') source += '.*';
    else if (token === '*') source += '[^/]*';
    else if (token === '?') source += '[^/]';
    else if (token.startsWith('['))
      source += token.replace(/^\[[!^]/, '[^/').replaceAll('\\', '\\\\');
    else if (token === '{') {
      depth += 1;
      source += '(?:';
    } else if (token === '}' && depth > 0) {
      depth -= 1;
      source += ')';
    } else if (token === ',' && depth > 0) source += '|';
    else source += escapeRegExp(token.startsWith('\\') ? token.slice(1) : token);
  }
  if (depth > 0) return null;
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    return null;
  }
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
