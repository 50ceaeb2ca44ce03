import type { ComponentType } from 'react';
import { lazily } from '../common/lazily.ts';
import { JobsScreen } from '../features/jobs/jobs-screen.tsx';
import { useNavigation, type ScreenName } from './navigation.ts';

export interface Feature {
  /** In the palette, and in the rail where it stands there. */
  readonly name: string;
  readonly inRail: boolean;
  /** A 16 by 16 path in the rail. */
  readonly icon: string;
  readonly Screen: ComponentType;
}

// The window opens with its jobs.
const BucketsScreen = lazily(
  async () => (await import('../features/buckets/buckets-screen.tsx')).BucketsScreen,
);
const HostsScreen = lazily(
  async () => (await import('../features/hosts/hosts-screen.tsx')).HostsScreen,
);
const AccessScreen = lazily(
  async () => (await import('../features/access/access-screen.tsx')).AccessScreen,
);
const KeysScreen = lazily(
  async () => (await import('../features/keys/keys-screen.tsx')).KeysScreen,
);
const NewJobScreen = lazily(
  async () => (await import('../features/new-job/new-job-screen.tsx')).NewJobScreen,
);
const SettingsScreen = lazily(
  async () => (await import('../features/settings/settings-screen.tsx')).SettingsScreen,
);

/** Every screen that is there, in the order of the rail. */
export const FEATURES: Readonly<Partial<Record<ScreenName, Feature>>> = {
  jobs: {
    name: 'Jobs',
    inRail: true,
    icon: 'M2 3h12v2H2zM2 7h12v2H2zM2 11h8v2H2z',
    Screen: JobsScreen,
  },
  'new-job': {
    name: 'New job',
    inRail: true,
    icon: 'M7 2h2v5h5v2H9v5H7V9H2V7h5z',
    Screen: NewJobScreen,
  },
  buckets: {
    name: 'Buckets',
    inRail: true,
    icon: 'M2 3h12l-1.5 11h-9zM1 1h14v1.5H1z',
    Screen: BucketsScreen,
  },
  keys: {
    name: 'Keys',
    inRail: true,
    icon: 'M5 4a4 4 0 1 0 3.9 5H11v2h2V9h3V7H8.9A4 4 0 0 0 5 4zm0 2.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z',
    Screen: KeysScreen,
  },
  access: { name: 'Ask for access', inRail: false, icon: '', Screen: AccessScreen },
  hosts: {
    name: 'Hosts',
    inRail: true,
    icon: 'M1 2h14v5H1zm2 2v1h2V4zM1 9h14v5H1zm2 2v1h2v-1z',
    Screen: HostsScreen,
  },
  settings: {
    name: 'Settings',
    inRail: true,
    icon: 'M1 3h8v2H1zm12 0h2v2h-2zm-3-1h2v4h-2zM1 11h3v2H1zm7 0h7v2H8zm-3-1h2v4H5z',
    Screen: SettingsScreen,
  },
};

useNavigation.setState({ screens: new Set(Object.keys(FEATURES) as ScreenName[]) });
