import { describe, expect, test } from 'vitest';
import { readVisibleGpus, visibleTo } from '../../src/shared/gpu-choice.ts';

const card = (index: number, uuid: string, name = 'A100') => ({ index, uuid, name });
const CARDS = [
  card(0, 'GPU-8932f937-d72c-4106-c12f-20bd9faed9f6'),
  card(1, 'GPU-8932f900-d72c-4106-c12f-20bd9faed9f6'),
  { ...card(2, 'MIG-1', 'A100 MIG 1g.5gb'), card: 'GPU-77777777-d72c-4106-c12f-20bd9faed9f6' },
  {
    ...card(2, 'MIG-GPU-77777777-d72c-4106-c12f-20bd9faed9f6/2/0', 'A100 MIG 1g.5gb'),
    card: 'GPU-77777777-d72c-4106-c12f-20bd9faed9f6',
  },
];
const [first, second, third, fourth] = CARDS.map(({ uuid }) => uuid) as [
  string,
  string,
  string,
  string,
];

describe('CUDA_VISIBLE_DEVICES', () => {
  test.each([
    ['0,1', [first, second], null],
    [' 1 , 0 ', [second, first], null],
    ['0,0', [first], null],
    ['', [], ''],
    ['-1', [], '-1'],
    ['NoDevFiles', [], 'NoDevFiles'],
    ['0,-1,1', [first], '-1'],
    ['1,9,0', [second], '9'],
    ['1,', [second], ''],
    [first, [first], null],
    ['GPU-8932f937', [first], null],
    ['gpu-8932F937', [first], null],
    // The beginning of two.
    ['GPU-8932f9', [], 'GPU-8932f9'],
    ['GPU-', [], 'GPU-'],
    ['GPU-0000', [], 'GPU-0000'],
    ['MIG-1', [third], null],
    [fourth, [fourth], null],
    // A card with MIG on stands for its instances, by number and by UUID.
    ['2', [third, fourth], null],
    ['GPU-7777', [third, fourth], null],
    ['0x1', [], '0x1'],
  ])('%j', (value, uuids, endsAt) => {
    expect(readVisibleGpus(value, undefined, CARDS)).toEqual({
      uuids,
      endsAt,
      isOrderUnsure: false,
    });
  });

  test('numbers are unsure where cards differ and CUDA counts by speed', () => {
    const mixed = [card(0, first, 'RTX 3090'), card(1, second, 'T1000')];
    expect(readVisibleGpus('0', undefined, mixed).isOrderUnsure).toBe(true);
    expect(readVisibleGpus('0', 'FASTEST_FIRST', mixed).isOrderUnsure).toBe(true);
    expect(readVisibleGpus('0', 'PCI_BUS_ID', mixed).isOrderUnsure).toBe(false);
    expect(readVisibleGpus(first, undefined, mixed).isOrderUnsure).toBe(false);
  });
});

test('a worker is told its cards by UUID, or by number where it wants numbers or CUDA knows nothing else', () => {
  const two = [card(3, first), card(1, second)];
  expect(visibleTo(two, 'uuid')).toEqual({ value: `${first},${second}`, isNumbered: false });
  expect(visibleTo(two, 'index')).toEqual({ value: '3,1', isNumbered: true });
  expect(visibleTo([CARDS[2]!], 'index')).toEqual({ value: third, isNumbered: false });
  const jetson = card(0, '1eabe5e8-d72c-4106-c12f-20bd9faed9f6', 'Orin (nvgpu)');
  expect(visibleTo([jetson], 'uuid')).toEqual({ value: '0', isNumbered: true });
  expect(visibleTo([], 'index')).toEqual({ value: '', isNumbered: false });
});
