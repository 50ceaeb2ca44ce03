import { describe, expect, it } from 'vitest';
import { afterCrash, lostWindow } from '../../src/main/app/crashes.ts';
import { keepPlaces } from '../../src/main/app/places.ts';
import type { AskedPlace } from '../../src/shared/ipc/application.ts';

describe('a page whose process ends', () => {
  it('is loaded again, and asked about when it ends too often', () => {
    let times: readonly number[] = [];
    const crash = (now: number) => {
      const crashes = afterCrash(times, now, 'crashed');
      times = crashes.times;
      return crashes.then;
    };
    expect([0, 10_000, 20_000, 30_000].map(crash)).toEqual(['load', 'load', 'load', 'ask']);
    // A minute later the earlier ones do not count.
    expect(crash(200_000)).toBe('load');
    expect(afterCrash([1, 2, 3], 4, 'clean-exit').then).toBe('nothing');
  });

  it('is asked about with the way to the log', () => {
    const { detail, buttons } = lostWindow('/home/logs/window.log');
    expect(detail).toContain('/home/logs/window.log');
    expect(buttons).toEqual(['Load again', 'Quit']);
  });
});

describe('places', () => {
  const jobs: AskedPlace = { screen: 'jobs', job: 'a' };
  const form: AskedPlace = { screen: 'new-job' };

  it('wait until the page listens, and are pushed from then on', () => {
    const pushed: AskedPlace[] = [];
    const places = keepPlaces(jobs, (place) => pushed.push(place));
    expect(places.first()).toEqual(jobs);
    expect(places.first()).toBeNull();
    places.go(form);
    expect(pushed).toEqual([form]);
    places.loads();
    places.go(jobs);
    expect(pushed).toEqual([form]);
    expect(places.first()).toEqual(jobs);
  });

  it('come back after a crash, where nothing else is asked for', () => {
    const places = keepPlaces(null, () => undefined);
    expect(places.first()).toBeNull();
    places.keep(form);
    places.crashed();
    expect(places.first()).toEqual(form);
    places.crashed();
    places.go(jobs);
    expect(places.first()).toEqual(jobs);
    // Loaded anew without a crash: as at a start.
    places.loads();
    expect(places.first()).toBeNull();
  });
});
