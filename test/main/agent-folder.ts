import { writeManifest as writeManifestOf } from '../../scripts/lib/build-agent.mjs';

/** Writes the manifest of a folder as the application ships it with the agent. */
export function writeManifest(folder: string, version: string): void {
  writeManifestOf(folder, () => version);
}
