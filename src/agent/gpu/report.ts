import type { GpuBlock } from '../../shared/gpu.ts';

/** A process in `nvidia-smi -q -x`. */
export interface ReportedProcess {
  readonly pid: number;
  /** `C` computes, `G` draws, `C+G` both. */
  readonly type: string;
  readonly name: string;
  /** The MIG instance that it is on; null: none, or not told. */
  readonly instance: string | null;
}

/** What `nvidia-smi -q -x` says of one card. */
export interface CardReport {
  readonly uuid: string;
  /** Null where the driver does not tell them. */
  readonly processes: readonly ReportedProcess[] | null;
  /** A process is on it whose number is not told. */
  readonly hidden: boolean;
  readonly exclusive: boolean;
  readonly needsReset: boolean;
  readonly blocked: GpuBlock | null;
  readonly remarks: readonly string[];
  /** A screen shows what it draws. */
  readonly display: boolean;
  /** GPU instance ids of its MIG devices, by their number in `nvidia-smi -L`. */
  readonly migDevices: ReadonlyMap<string, string>;
}

const decode = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');

function inside(text: string, tag: string): string | null {
  const found = new RegExp(`<${tag}(?: [^>]*)?>([\\s\\S]*?)</${tag}>`).exec(text)?.[1];
  return found === undefined ? null : found.trim();
}

const every = (text: string, tag: string): readonly string[] =>
  [...text.matchAll(new RegExp(`<${tag}(?: [^>]*)?>([\\s\\S]*?)</${tag}>`, 'g'))].map(
    ([, content = '']) => content.trim(),
  );

/** The whole reports of cards in the answer to `nvidia-smi -q -x`; one that breaks off inside a card leaves that one out. Pure. */
export function parseReport(output: string): readonly CardReport[] {
  return every(output, 'gpu').flatMap((text) => {
    const uuid = inside(text, 'uuid');
    return uuid === null ? [] : [reportOf(decode(uuid), text)];
  });
}

function reportOf(uuid: string, text: string): CardReport {
  const list = inside(text, 'processes');
  const entries = list === null ? [] : every(list, 'process_info');
  const processes = entries.flatMap((entry): ReportedProcess[] => {
    const pid = inside(entry, 'pid') ?? '';
    if (!/^\d+$/.test(pid)) return [];
    const instance = inside(entry, 'gpu_instance_id') ?? '';
    return [
      {
        pid: Number(pid),
        type: (inside(entry, 'type') ?? '').toUpperCase(),
        name: decode(inside(entry, 'process_name') ?? ''),
        instance: /^\d+$/.test(instance) ? instance : null,
      },
    ];
  });
  const isTold = list !== null && (entries.length > 0 || list === '');
  const recovery = inside(text, 'gpu_recovery_action') ?? 'None';
  const mode = inside(text, 'compute_mode') ?? '';
  return {
    uuid,
    processes: isTold ? processes : null,
    hidden: processes.length < entries.length,
    exclusive: /^exclusive/i.test(mode),
    needsReset:
      /^yes$/i.test(inside(text, 'reset_required') ?? '') ||
      /^(gpu )?reset$|^drain and reset$/i.test(recovery),
    blocked: blockOf(mode, recovery),
    remarks: remarksOf(text),
    display: /^enabled$/i.test(inside(text, 'display_active') ?? ''),
    migDevices: new Map(
      every(text, 'mig_device').flatMap((device) => {
        const index = inside(device, 'index');
        const instance = inside(device, 'gpu_instance_id');
        return index === null || instance === null ? [] : [[index, instance] as const];
      }),
    ),
  };
}

function blockOf(mode: string, recovery: string): GpuBlock | null {
  if (/^prohibited$/i.test(mode))
    return {
      reason: 'its compute mode is Prohibited',
      advice: 'An administrator allows jobs on it with: sudo nvidia-smi -i NUMBER -c DEFAULT',
      final: true,
    };
  if (/reboot/i.test(recovery))
    return {
      reason: 'needs a restart of the machine',
      advice: 'The driver asks for a restart of the machine before the card is used again.',
      final: true,
    };
  return /^drain/i.test(recovery) && !/reset/i.test(recovery)
    ? {
        reason: `the driver asks to drain it (${recovery})`,
        advice: 'Its administrator decides when it is used again.',
        final: true,
      }
    : null;
}

function remarksOf(text: string): readonly string[] {
  const says = (tag: string): boolean => /^yes$/i.test(inside(text, tag) ?? '');
  const volatile = inside(inside(text, 'ecc_errors') ?? '', 'volatile') ?? '';
  const counts = [...volatile.matchAll(/<(\w*uncorrectable\w*)>\s*(\d+)\s*</g)].map(([, , count]) =>
    Number(count),
  );
  const older = inside(inside(volatile, 'double_bit') ?? '', 'total') ?? '';
  const errors = Math.max(0, ...counts, /^\d+$/.test(older) ? Number(older) : 0);
  return [
    ...(errors > 0
      ? [
          `has had ${errors === 1 ? 'a memory error' : `${errors} memory errors`} that could not be corrected`,
        ]
      : []),
    ...(says('remapped_row_pending') || says('pending_retirement') || says('pending_blacklist')
      ? ['has bad memory that only a reset takes out of use']
      : []),
    ...(says('remapped_row_failure') ? ['has bad memory that cannot be taken out of use'] : []),
  ];
}
