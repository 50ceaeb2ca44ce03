import { FEATURES, type Feature } from './features.tsx';
import { Meters } from './meters.tsx';
import { useNavigation, type ScreenName } from './navigation.ts';

const entries = (Object.entries(FEATURES) as [ScreenName, Feature][]).filter(
  ([, feature]) => feature.inRail,
);

/** The places of the window, at its left edge. */
export function Rail() {
  const place = useNavigation((navigation) => navigation.place);
  const go = useNavigation((navigation) => navigation.go);
  return (
    <nav className="rail" aria-label="Places">
      {entries.map(([name, feature]) => (
        <button
          key={name}
          type="button"
          className="rail-item"
          aria-current={place.screen === name ? 'page' : undefined}
          onClick={() => go({ screen: name })}
        >
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d={feature.icon} fill="currentColor" />
          </svg>
          <span>{feature.name}</span>
        </button>
      ))}
      <Meters />
    </nav>
  );
}
