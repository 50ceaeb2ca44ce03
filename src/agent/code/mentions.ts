/** A path that is not part of the code, as people read it; a folder with all below it. */
export interface IgnoredPath {
  readonly path: string;
  readonly folder: boolean;
}

/** What the words of a command may have before a path of the code. */
const BEFORE = /^(\.\/|\$\{?TRAIN(YARD|ML)_MODEL_PATH\}?\/|\$\{?PWD\}?\/)+/;

/** The paths among these that commands name: themselves, what lies below them, or as a module of Python. Pure. */
export function mentionedPaths(
  ignored: readonly IgnoredPath[],
  commands: readonly string[],
): readonly IgnoredPath[] {
  const words = new Set(
    commands.flatMap((command) =>
      command
        .split(/[\s"'`=,:;|&<>()]+/)
        .map((word) => word.replace(BEFORE, '').replace(/\/+$/, ''))
        .filter((word) => word !== ''),
    ),
  );
  return ignored.filter(({ path, folder }) => {
    if (words.has(path)) return true;
    if (folder) return [...words].some((word) => word.startsWith(`${path}/`));
    return path.endsWith('.py') && words.has(path.slice(0, -3).replaceAll('/', '.'));
  });
}
