import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';

export interface Look {
  /** A selector; the whole window without it. */
  readonly part?: string;
  /** `colours`: what the light window was asked already is left out. Only colours differ between the two. */
  readonly only?: 'colours';
}

/** What a screen in one theme is asked for: everything in the light one, what depends on its colours in the dark one. */
export const lookOf = (theme: 'light' | 'dark'): Look =>
  theme === 'light' ? {} : { only: 'colours' };

/** What axe-core finds wrong with a screen for people who see, hear or type in other ways, in words. */
export async function mistakes(page: Page, { part, only }: Look = {}): Promise<readonly string[]> {
  const builder = new AxeBuilder({ page }).setLegacyMode();
  if (part !== undefined) builder.include(part);
  if (only === 'colours') builder.withRules(['color-contrast']);
  const { violations } = await builder.analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
  );
}
