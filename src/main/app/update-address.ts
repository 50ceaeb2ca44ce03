/** Where a package looks for newer versions, as `app-update.yml` says; null where it names no address. Pure. */
const addressIn = (file: string): string | null =>
  /^url:\s*(['"]?)(.+?)\1\s*$/m.exec(file)?.[2] ?? null;

/**
 * Why newer versions are not looked for at the address in `app-update.yml`; null where they are. What comes from there replaces the application: over
 * plain http anybody on the way could put his own in its place. Pure.
 */
export function updatesRefused(file: string): string | null {
  const address = addressIn(file);
  // Other kinds of places than an address of one's own are services that electron-updater asks by https.
  if (address === null || (URL.canParse(address) && new URL(address).protocol === 'https:'))
    return null;
  return 'the address of newer versions is not https, so none is looked for';
}
