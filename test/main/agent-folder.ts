import { buildAgent, writeManifest as writeManifestOf } from '../../scripts/lib/build-agent.mjs';

/** Builds the agent from the sources as they are into a folder, in the shape that the application ships it. */
export async function buildAgentFolder(folder: string, version = '0.0.0-test'): Promise<string> {
  await buildAgent(folder, version);
  writeManifest(folder, version);
  return folder;
}

export function writeManifest(folder: string, version: string): void {
  writeManifestOf(folder, () => version);
}
