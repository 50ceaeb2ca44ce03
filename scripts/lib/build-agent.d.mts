/** Writes the manifest of everything that lies in the folder. `versionOf` is given a short hash of it. */
export function writeManifest(folder: string, versionOf: (hash: string) => string): void;
