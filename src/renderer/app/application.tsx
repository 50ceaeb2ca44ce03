import { Suspense } from 'react';
import { JobsScreen } from '../features/jobs/jobs-screen.tsx';
import { DropAnywhere } from '../features/keys/drop-anywhere.tsx';
import { useAbout } from '../common/use-about.ts';
import { SampleBanner } from '../features/sample/sample-banner.tsx';
import { useFreshSample, useSample } from '../features/sample/use-sample.ts';
import { FEATURES } from './features.tsx';
import { useNavigation } from './navigation.ts';
import { Palette } from './palette.tsx';
import { Rail } from './rail.tsx';
import { useAskedPlaces } from './use-asked-places.ts';
import { useScreenFocus } from './use-screen-focus.ts';

/** The window: a banner where the endpoints are emulated, the rail, and the screen chosen there. */
export function Application() {
  const about = useAbout();
  useAskedPlaces();
  useScreenFocus();
  useFreshSample();
  const sample = useSample().data;
  const place = useNavigation((navigation) => navigation.place);
  const Screen = FEATURES[place.screen]?.Screen ?? JobsScreen;
  return (
    <div className="application">
      {sample?.state === 'on' || sample?.state === 'broken' ? (
        <SampleBanner status={sample} />
      ) : (
        about.data?.emulated === true && <EmulatorBanner storage={about.data.storage} />
      )}
      <div className="body">
        <Rail />
        <main>
          <Suspense fallback={null}>
            <Screen />
          </Suspense>
        </main>
      </div>
      <DropAnywhere />
      <Palette />
    </div>
  );
}

function EmulatorBanner({ storage }: { readonly storage: string }) {
  return (
    <div className="banner" role="status">
      <strong>Emulated Google Cloud.</strong> Storage is at {storage}: nothing comes from or goes to
      the real service.
    </div>
  );
}
