import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** The files that a clone has, with those not committed yet. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(name));

describe('the repository', () => {
  it('has a lock file that names no registry', () => {
    expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
  });

  it('has every link of its Markdown pages', () => {
    const missing: string[] = [];
    for (const page of files.filter((name) => name.endsWith('.md'))) {
      const folder = page.includes('/') ? page.slice(0, page.lastIndexOf('/') + 1) : '';
      for (const [, target] of readFileSync(page, 'utf8').matchAll(
        /\]\((?!https?:|#|mailto:)([^)#\s]+)/g,
      )) {
        if (target !== undefined && !existsSync(folder + target))
          missing.push(`${page}: ${target}`);
      }
    }
    expect(missing).toEqual([]);
  });

  it('runs install scripts of no package', () => {
    const { allowScripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      allowScripts: Record<string, boolean>;
    };
    expect(Object.values(allowScripts).every((value) => !value)).toBe(true);
  });
});
