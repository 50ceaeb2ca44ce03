import { expect, test } from 'vitest';
import {
  availableMemory,
  busyPercent,
  diskTraffic,
  mountOf,
  networkTraffic,
  processorTimes,
  trafficRate,
} from '../../src/shared/machine.ts';

test('processors: what was busy between two looks', () => {
  const times = (user: number, idle: number) => ({
    times: { user, nice: 0, sys: 0, idle, irq: 0 },
  });
  const before = processorTimes([times(100, 100), times(0, 200)]);
  const now = processorTimes([times(200, 100), times(0, 300)]);
  expect(busyPercent(before, now)).toBe(50);
  expect(busyPercent(now, now)).toBeNull();
});

test('memory: what can be freed counts as available', () => {
  expect(availableMemory('MemTotal: 8 kB\nMemFree: 1 kB\nMemAvailable:      4 kB\n')).toBe(4096);
  expect(availableMemory('')).toBeNull();
});

test('network: loopback and interfaces that stand for others are left out', () => {
  const file = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 900 5 0 0 0 0 0 0 900 5 0 0 0 0 0 0
  eth0:1000 10 0 0 0 0 0 0 200 7 0 0 0 0 0 0
enp1s0: 50 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
docker0: 70 1 0 0 0 0 0 0 70 1 0 0 0 0 0 0
`;
  expect(networkTraffic(file)).toEqual({ in: 1050, out: 207 });
  expect(networkTraffic('')).toBeNull();
});

const MOUNTS = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:27 / /data rw - nfs4 server:/export rw
31 27 0:44 / /srv/my\\040runs rw shared:1 - btrfs /dev/sdb1 rw
`;

test('disk: the one that holds a folder, by its number, or by its name where its file system has a number of its own', () => {
  expect(mountOf(MOUNTS, '/home/me')).toEqual({ device: '254:0', source: '/dev/vda' });
  expect(mountOf(MOUNTS, '/data/runs')?.source).toBe('server:/export');
  expect(mountOf(MOUNTS, '/database')?.source).toBe('/dev/vda');
  expect(mountOf(MOUNTS, '/srv/my runs/1')?.source).toBe('/dev/sdb1');
  expect(mountOf('', '/')).toBeNull();
  const stats = `   8      17 sdb1 10 0 4 0 20 0 6 0 0 0 0
 254       0 vda 10 0 2 0 20 0 3 0 0 0 0
`;
  expect(diskTraffic(stats, '254:0', 'vda')).toEqual({ in: 1024, out: 1536 });
  expect(diskTraffic(stats, '0:44', 'sdb1')).toEqual({ in: 2048, out: 3072 });
  expect(diskTraffic(stats, '0:27', 'export')).toBeNull();
});

test('rates: bytes a second; none without two looks, nor when a counter began anew', () => {
  const at = (into: number, out: number) => ({ in: into, out });
  expect(trafficRate(at(0, 100), at(4000, 100), 2_000)).toEqual({ in: 2000, out: 0 });
  expect(trafficRate(null, at(1, 1), 2_000)).toBeNull();
  expect(trafficRate(at(9, 9), at(1, 9), 2_000)).toBeNull();
  expect(trafficRate(at(1, 1), at(2, 2), 0)).toBeNull();
});
