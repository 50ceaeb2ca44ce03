import { test as base } from '@playwright/test';
import { openProfile, type Profile } from './application.ts';
import { openShared, type Shared, type SharedApplication } from './shared.ts';

/**
 * `profile`: a person with nothing, whose application starts anew. `shared`: the worker's one application, as if it had just been opened; for
 * tests that only look at screens.
 */
export const test = base.extend<
  { profile: Profile; shared: Shared },
  { sharedApplication: SharedApplication }
>({
  // Playwright tells fixtures apart by the names in this pattern
  profile: async ({}, use, { parallelIndex }) => {
    const profile = await openProfile(parallelIndex);
    await use(profile);
    await profile.close();
  },
  sharedApplication: [
    async ({}, use, { parallelIndex }) => {
      const shared = await openShared(parallelIndex);
      await use(shared);
      await shared.close();
    },
    { scope: 'worker' },
  ],
  shared: async ({ sharedApplication }, use) => {
    await sharedApplication.reset();
    await use(sharedApplication);
  },
});

export { expect } from '@playwright/test';
