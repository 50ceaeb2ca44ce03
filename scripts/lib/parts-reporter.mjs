// Reporter of vitest: one line of JSON for each test of the parts, and for each file what it took before its first test (scripts/lib/test-report.mjs).
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { root } from './root.mjs';
import { REPORTS } from './test-report.mjs';

export default class PartsReporter {
  #tests = [];
  #errors = 0;

  onTestCaseResult(test) {
    const { state } = test.result();
    const { duration = 0, retryCount = 0 } = test.diagnostic() ?? {};
    this.#tests.push({
      file: relative(root, test.module.moduleId),
      name: test.fullName,
      state,
      milliseconds: Math.round(duration),
      tries: retryCount + 1,
    });
  }

  onTestRunEnd(modules, unhandled) {
    // What failed without a test: a file that could not be loaded, an error outside any test.
    this.#errors = unhandled.length;
    for (const module of modules) {
      const failed = [...module.children.allTests()].some(
        (test) => test.result().state === 'failed',
      );
      if (module.state() === 'failed' && !failed) this.#errors += 1;
    }
    mkdirSync(dirname(REPORTS.parts), { recursive: true });
    writeFileSync(REPORTS.parts, JSON.stringify({ tests: this.#tests, errors: this.#errors }));
  }
}
