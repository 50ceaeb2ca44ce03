import { useEffect, useRef } from 'react';
import type { UseFormSetValue } from 'react-hook-form';
import { useNavigation, type Place } from '../../app/navigation.ts';
import type { JobForm } from './form-model.ts';

/** Takes what the screen was opened with into the form, once. */
export function usePlace(onYaml: (text: string) => void, setValue: UseFormSetValue<JobForm>): void {
  const place = useNavigation((navigation) => navigation.place);
  const go = useNavigation((navigation) => navigation.go);
  const taken = useRef<Place | null>(null);
  useEffect(() => {
    if (place.screen !== 'new-job' || taken.current === place) return;
    taken.current = place;
    const { specYaml, use } = place;
    if (specYaml !== undefined) onYaml(specYaml);
    if (use !== undefined) {
      setValue(`${use.as}.type`, 'gcs');
      setValue(`${use.as}.gcs`, use.address, { shouldTouch: true });
      setValue(`${use.as}.key`, use.key ?? '', { shouldTouch: true });
    }
    if (specYaml !== undefined || use !== undefined) go({ screen: 'new-job' });
  }, [place, go, onYaml, setValue]);
}
