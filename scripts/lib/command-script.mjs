/**
 * The command `trainyard` of an installed application, for a shell: commands go to the command line, nothing or a link to the window.
 * It lies in `resources/bin` and may be reached by links.
 *
 * `window`: the window's program, as seen from `resources`.
 */
export const commandScript = (window) => `#!/bin/sh
file=$0
while [ -L "$file" ]; do
  link=$(readlink "$file")
  case $link in
    /*) file=$link ;;
    *) file=$(dirname "$file")/$link ;;
  esac
done
resources=$(cd "$(dirname "$file")/.." && pwd -P) || exit 4
case \${1-} in
  '' | trainyard://* | --ozone-* | --enable-* | --disable-* | --no-sandbox) exec "$resources/${window}" "$@" ;;
esac
exec "$resources/node" "$resources/app.asar.unpacked/out/cli/trainyard.mjs" "$@"
`;

/** Lines that a package for Debian runs after those of electron-builder: the command, and not the window's program, is \`trainyard\` on the PATH. */
const command = "'/opt/${sanitizedProductName}/resources/bin/trainyard'";

export const afterInstall = `
# A higher priority than that of the window's own program, above.
if type update-alternatives >/dev/null 2>&1; then
    update-alternatives --install /usr/bin/trainyard trainyard ${command} 200 || ln -sf ${command} /usr/bin/trainyard
else
    ln -sf ${command} /usr/bin/trainyard
fi
`;

export const afterRemove = `
if type update-alternatives >/dev/null 2>&1; then
    update-alternatives --remove trainyard ${command}
fi
`;
