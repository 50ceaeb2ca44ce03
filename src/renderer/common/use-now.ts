import { useEffect, useState } from 'react';

/** The time in milliseconds since 1970, anew every second while `ticking`. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), ticking ? 1_000 : 30_000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
