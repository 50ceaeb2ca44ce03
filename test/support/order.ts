import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { ROOT } from './programs.ts';

/**
 * The files that take longest, the longest first (`npm run test:times`): begun last, one would keep a single worker busy while the others have
 * nothing left to do. A name that is missing or out of its place costs time and nothing else.
 */
const DEAREST = [
  'test/leaks/command-line.test.ts',
  'test/agent/lives.test.ts',
  'test/cli/main-job.test.ts',
  'test/main/jobs/two.test.ts',
  'test/transfer/resume.test.ts',
  'test/cli/administrator.test.ts',
  'test/transfer/upload.test.ts',
  'test/cli/demo.test.ts',
  'test/transfer/disks.test.ts',
  'test/agent/notebook.test.ts',
  'test/soak/soak.test.ts',
  'test/cli/processes.test.ts',
  'test/soak/reboot.test.ts',
  'test/transfer/download.test.ts',
  'test/main/keys/service.test.ts',
  'test/main/hosts/local.test.ts',
];

export class DearestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = DEAREST.indexOf(relative(ROOT, moduleId));
      return found === -1 ? DEAREST.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}
