import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';

/**
 * A disk of the test's own that becomes read-only under open files, as one with errors does: ext4 in a file, mounted with
 * `errors=remount-ro`, told by the kernel's own switch that it met an error. A plain `mount -o remount,ro` is refused while a file is open.
 */
export interface BreakableDisk {
  /** From now on nothing can be written to it. */
  break(): void;
  /** Mounts it anew, as after a repair. No process may have a file open there. */
  mend(): void;
  unmount(): void;
}

const quiet = { stdio: 'ignore' } as const;

/** The loop device that is mounted at a folder; never another disk of the machine. */
function loopAt(folder: string): string {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((mount) => mount.split(' ')[1] === folder);
  const device = /^\/dev\/(loop\d+)$/.exec(line?.split(' ')[0] ?? '')?.[1];
  if (device === undefined) throw new Error(`no loop device is mounted at ${folder}`);
  return device;
}

/** The kernel may need a moment after the last process has gone. */
function unmountPatiently(folder: string): void {
  for (let tries = 0; tries < 50; tries += 1) {
    if (spawnSync('umount', [folder], quiet).status === 0) return;
    spawnSync('sleep', ['0.1']);
  }
  execFileSync('umount', [folder]);
}

/** `image` is a new file; `folder` is there and empty. Both paths hold no spaces. Needs root on Linux. */
export function mountBreakableDisk(
  image: string,
  folder: string,
  mebibytes: number,
): BreakableDisk {
  const mount = (): void => {
    execFileSync('mount', ['-o', 'loop,errors=remount-ro', image, folder], quiet);
  };
  writeFileSync(image, '');
  truncateSync(image, mebibytes * 1024 * 1024);
  // Without a journal: what is not on the disk when it breaks is not played back later.
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', '-m', '0', image], quiet);
  mount();
  return {
    break() {
      // What a disk had not written when it broke is its own loss: the test is about what comes after.
      execFileSync('sync', ['-f', folder]);
      writeFileSync(`/sys/fs/ext4/${loopAt(folder)}/trigger_fs_error`, '1');
    },
    mend() {
      unmountPatiently(folder);
      // The loop device may go on writing for a moment after its file system is gone.
      const end = Date.now() + 10_000;
      while (spawnSync('losetup', ['-j', image]).stdout.length > 0 && Date.now() < end)
        execFileSync('sleep', ['0.05']);
      execFileSync('sync', [image]);
      // Exit status 1: it found something, and mended it; then it looks again.
      let status = 1;
      for (let tries = 0; status === 1 && tries < 3; tries += 1)
        status = spawnSync('e2fsck', ['-fy', image], quiet).status ?? 8;
      if (status > 1) throw new Error(`e2fsck ended with ${status}`);
      mount();
    },
    unmount() {
      execFileSync('umount', ['--lazy', folder]);
    },
  };
}

/** Why no such disk can be had here, or null. `folder` is there and empty; `image` beside it is a file for the trial. */
export function cannotBreakDisks(image: string, folder: string): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'a disk can be mounted by root on Linux alone';
  try {
    const disk = mountBreakableDisk(image, folder, 16);
    try {
      disk.break();
      writeFileSync(`${folder}/x`, '');
      return 'the disk did not become read-only';
    } catch (error) {
      return error instanceof Error && 'code' in error && error.code === 'EROFS'
        ? null
        : 'this kernel has no switch for errors of a disk';
    } finally {
      disk.unmount();
    }
  } catch {
    return 'no ext4 disk can be made and mounted here';
  }
}
