// Reporter of Playwright: as parts-reporter.mjs, of the tests of the window.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { root } from './root.mjs';
import { REPORTS } from './test-report.mjs';

export default class WindowReporter {
  #tests = [];
  #errors = 0;
  #suite = null;

  onBegin(_config, suite) {
    this.#suite = suite;
  }

  onError() {
    this.#errors += 1;
  }

  onEnd() {
    for (const test of this.#suite?.allTests() ?? []) {
      const outcome = test.outcome();
      this.#tests.push({
        file: relative(root, test.location.file),
        name: test.title,
        state: outcome === 'skipped' ? 'skipped' : outcome === 'unexpected' ? 'failed' : 'passed',
        milliseconds: Math.round(test.results.reduce((sum, { duration }) => sum + duration, 0)),
        tries: Math.max(1, test.results.length),
      });
    }
    mkdirSync(dirname(REPORTS.window), { recursive: true });
    writeFileSync(REPORTS.window, JSON.stringify({ tests: this.#tests, errors: this.#errors }));
  }

  printsToStdio() {
    return false;
  }
}
