// Called by electron-builder when the application's folder is whole, before a package is made of it.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandScript } from './command-script.mjs';

export default async function afterPack({ appOutDir, electronPlatformName, packager }) {
  // No job runs on Windows itself, and no Node.js is shipped there.
  if (electronPlatformName === 'win32') return;
  const isMac = electronPlatformName === 'darwin';
  const { productFilename } = packager.appInfo;
  const resources = isMac
    ? join(appOutDir, `${productFilename}.app`, 'Contents', 'Resources')
    : join(appOutDir, 'resources');
  const window = isMac ? `../MacOS/${productFilename}` : `../${packager.executableName}`;
  await mkdir(join(resources, 'bin'), { recursive: true });
  await writeFile(join(resources, 'bin', 'trainyard'), commandScript(window), { mode: 0o755 });
}
