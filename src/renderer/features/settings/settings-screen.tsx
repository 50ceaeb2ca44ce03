import { Button, SegmentedControl, Switch } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import {
  THEMES,
  type KnownFolder,
  type Preferences,
  type Theme,
} from '../../../shared/ipc/application.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { CopiedText } from '../../common/copied-text.tsx';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useAbout } from '../../common/use-about.ts';
import { StopSample } from '../sample/stop-sample.tsx';
import { useSample, useStartSample } from '../sample/use-sample.ts';
import './settings.css';

const PREFERENCES = ['preferences'] as const;
const THEME_NAMES: Readonly<Record<Theme, string>> = {
  system: 'As the system',
  light: 'Light',
  dark: 'Dark',
};
const VAULT_NAMES = { keychain: "The system's keychain", passphrase: 'A file with a passphrase' };

const isTheme = (value: string): value is Theme => THEMES.some((theme) => theme === value);

/** What the user may choose, and where things lie. A choice holds at once. */
export function SettingsScreen() {
  const client = useQueryClient();
  const about = useAbout();
  const go = useNavigation((navigation) => navigation.go);
  const known = useQuery({ queryKey: PREFERENCES, queryFn: () => ask('preferences', {}) });
  const vault = useQuery({ queryKey: ['settings-vault'], queryFn: () => ask('keys-vault', {}) });
  const keep = useMutation({
    mutationFn: (preferences: Preferences) => ask('keep-preferences', preferences),
    onMutate: (preferences) => client.setQueryData(PREFERENCES, preferences),
    onError: () => client.invalidateQueries({ queryKey: PREFERENCES }),
  });
  const failure = known.error ?? keep.error;
  const preferences = known.data;
  const home = about.data?.home;
  return (
    <div className="settings">
      <h1>Settings</h1>
      {failure !== null && <ProblemAlert {...problemOf(failure)} />}
      {preferences !== undefined && (
        <>
          <Setting name="Theme">
            <SegmentedControl
              size="xs"
              aria-label="Theme"
              value={preferences.theme}
              onChange={(theme) => {
                if (isTheme(theme)) keep.mutate({ ...preferences, theme });
              }}
              data={THEMES.map((theme) => ({ value: theme, label: THEME_NAMES[theme] }))}
            />
          </Setting>
          <Setting name="Notifications">
            <Switch
              size="xs"
              label="Tell me when a job ends or waits for access, while I look elsewhere"
              checked={preferences.notifications}
              onChange={(event) =>
                keep.mutate({ ...preferences, notifications: event.currentTarget.checked })
              }
            />
          </Setting>
          <Setting name="Closing the window">
            <Switch
              size="xs"
              label="While jobs go on, follow them without it"
              description={
                about.data?.tray === false
                  ? 'This desktop has no place for an icon: start Trainyard again to see its window.'
                  : 'The icon beside the clock opens it again.'
              }
              checked={preferences.keepFollowing}
              onChange={(event) =>
                keep.mutate({ ...preferences, keepFollowing: event.currentTarget.checked })
              }
            />
          </Setting>
        </>
      )}
      <SampleSetting />
      <Setting name="Keys">
        {vault.isError ? (
          <span>{problemOf(vault.error).message}</span>
        ) : vault.data === undefined ? null : (
          <span>{VAULT_NAMES[vault.data.kind]}</span>
        )}
        <Button size="compact-xs" variant="default" onClick={() => go({ screen: 'keys' })}>
          Keys
        </Button>
      </Setting>
      {home !== undefined && (
        <>
          <FolderSetting name="Trainyard's folder" folder="home" path={home} />
          <FolderSetting name="Runs" folder="runs" path={`${home}/runs`} />
          <FolderSetting name="Logs of Trainyard" folder="logs" path={`${home}/logs`} />
          <p className="dimmed settings-note">
            The command line uses the same folder. The variable TRAINYARD_HOME moves it.
          </p>
        </>
      )}
      {about.data !== undefined && (
        <Setting name="Version">
          <CopiedText text={about.data.version} />
        </Setting>
      )}
    </div>
  );
}

/** Sample data, also for those who have jobs already. */
function SampleSetting() {
  const sample = useSample().data;
  const start = useStartSample();
  if (sample === undefined || (sample.state === 'off' && !sample.offered)) return null;
  return (
    <Setting name="Sample data">
      {sample.state === 'off' ? (
        <Button
          size="compact-xs"
          variant="default"
          loading={start.isPending}
          onClick={() => start.mutate()}
        >
          Use sample data
        </Button>
      ) : sample.state === 'starting' ? (
        <span role="status">{sample.step}…</span>
      ) : (
        <StopSample />
      )}
      {start.error !== null && <ProblemAlert {...problemOf(start.error)} />}
    </Setting>
  );
}

interface FolderSettingProps {
  readonly name: string;
  readonly folder: KnownFolder;
  readonly path: string;
}

/** A folder of the application: copied, or opened where it lies. */
function FolderSetting({ name, folder, path }: FolderSettingProps) {
  const open = useMutation({ mutationFn: () => ask('open-folder', { folder }) });
  return (
    <Setting name={name}>
      <CopiedText text={path} />
      <Button
        size="compact-xs"
        variant="default"
        loading={open.isPending}
        aria-label={`Open folder: ${name}`}
        onClick={() => open.mutate()}
      >
        Open folder
      </Button>
      {open.isError && <ProblemAlert {...problemOf(open.error)} />}
    </Setting>
  );
}

function Setting({
  name,
  children,
}: {
  readonly name: string;
  readonly children: React.ReactNode;
}) {
  return (
    <div className="setting" role="group" aria-label={name}>
      <span className="dimmed">{name}</span>
      <div>{children}</div>
    </div>
  );
}
