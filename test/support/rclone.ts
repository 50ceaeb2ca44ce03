import { spawnSync } from 'node:child_process';

/** Why there is no rclone, the client of somebody else that the set-up installs; null where there is one. */
export const noRclone: string | null =
  spawnSync('rclone', ['version'], { stdio: 'ignore' }).status === 0
    ? null
    : 'no rclone is installed (Debian: rclone)';
