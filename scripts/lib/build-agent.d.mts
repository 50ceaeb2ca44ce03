/** Builds the agent into a folder, less its manifest. */
export function buildAgent(folder: string, version: string): Promise<void>;
/** Writes the manifest of everything that lies in the folder. `versionOf` is given a short hash of it. */
export function writeManifest(folder: string, versionOf: (hash: string) => string): void;
