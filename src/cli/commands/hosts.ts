import type { Command } from 'commander';
import type { HostProbe } from '../../shared/agent-protocol.ts';
import type { Gpu } from '../../shared/gpu.ts';
import type { Run } from '../context.ts';
import { keepOnlyGpus, readOnlyGpus } from '../../main/jobs/choose-gpus.ts';
import { readVisibleGpus } from '../../shared/gpu-choice.ts';
import { ProblemExit, usageProblem, valueOf } from '../exit.ts';
import { formatBytes, printable } from '../format.ts';
import { table, type Output } from '../output.ts';

/** `trainyard hosts check local`, `trainyard hosts gpus local 0,1`. */
export function registerHosts(program: Command, run: Run): void {
  const hosts = program.command('hosts').description('the machines that jobs run on');
  hosts
    .command('gpus <host> [cards]')
    .description('show or choose which GPUs jobs may be given: numbers or UUIDs, or "all"')
    .option('--json', 'print an object')
    .action((name: string, cards: string | undefined, options: { readonly json?: boolean }) =>
      run(options, async (context) => {
        const services = await context.services();
        const host = valueOf(services.hosts.get(name));
        const { gpus } = valueOf(await host.probe());
        const known = gpus.kind === 'gpus' ? gpus.gpus : [];
        if (cards !== undefined)
          valueOf(keepOnlyGpus(services.settings, chosenCards(cards, known)));
        const only = readOnlyGpus(services.settings);
        if (options.json === true) context.output.json({ host: name, only });
        else for (const line of describeChoice(only, known)) context.output.line(line);
        return 0;
      }),
    );
  hosts
    .command('check <host>')
    .description('show GPUs, disk and agent of a host, and whether logging out would end a job')
    .option('--json', 'print an object')
    .action((name: string, options: { readonly json?: boolean }) =>
      run(options, async (context) => {
        const services = await context.services();
        const host = valueOf(services.hosts.get(name));
        const probe = valueOf(await host.probe());
        if (options.json === true) context.output.json({ host: name, ...probe });
        else for (const line of describeProbe(probe, context.output)) context.output.line(line);
        return 0;
      }),
    );
}

/** UUIDs; null: all. */
function chosenCards(text: string, gpus: readonly Gpu[]): readonly string[] | null {
  if (text === 'all') return null;
  if (text === 'none') return [];
  const { uuids, endsAt } = readVisibleGpus(text, 'PCI_BUS_ID', gpus);
  if (endsAt === null) return uuids;
  throw new ProblemExit(
    usageProblem(
      `"${endsAt}" is no GPU of this machine.`,
      'Name some by numbers or UUIDs, with commas between them, such as 0,1; or all, or none. `nvidia-smi -L` lists them.',
    ),
  );
}

function describeChoice(only: readonly string[] | null, gpus: readonly Gpu[]): readonly string[] {
  if (only === null) return ['Jobs may be given every GPU.'];
  if (only.length === 0) return ['Jobs are given no GPU.'];
  return [
    'Jobs may be given these GPUs alone:',
    ...only.map((uuid) => {
      const gpu = gpus.find((each) => each.uuid === uuid);
      return gpu === undefined
        ? `  ${printable(uuid)} (not there now)`
        : `  ${gpu.index}: ${printable(gpu.name)} (${printable(uuid)})`;
    }),
  ];
}

function describeProbe(probe: HostProbe, output: Output): readonly string[] {
  const title = (text: string) => output.paint('dim', text.padEnd(12), output.stdout);
  const logout = { true: 'jobs go on', false: 'ends jobs', null: 'cannot be told' }[
    String(probe.survivesLogout) as 'true' | 'false' | 'null'
  ];
  const lines = [
    `${title('Host')}${printable(probe.hostname)} (${probe.platform} ${probe.arch})`,
    `${title('Processors')}${probe.processors}, memory ${formatBytes(probe.memory)}`,
    `${title('Disk')}${formatBytes(probe.disk.free)} free of ${formatBytes(probe.disk.total)} at ${printable(probe.disk.path)}`,
    `${title('Agent')}${probe.agentVersion} on Node.js ${probe.nodeVersion}`,
    `${title('Login shell')}${probe.loginShell === null ? 'could not be asked' : `${probe.loginShell.path}, sets ${probe.loginShell.variables.length} variables`}`,
    `${title('Logging out')}${logout}: ${printable(probe.survivesLogoutReason)}`,
  ];
  if (probe.gpus.kind === 'no-tool')
    lines.push(`${title('GPUs')}none: nvidia-smi is not installed`);
  else if (probe.gpus.kind === 'broken')
    lines.push(`${title('GPUs')}cannot be used: ${printable(probe.gpus.message)}`);
  else
    lines.push(
      `${title('GPUs')}driver ${probe.gpus.driver ?? 'unknown'}`,
      ...(probe.gpus.lost ?? []).map((text) => `${title('')}${printable(text)}`),
      '',
      ...gpuTable(probe.gpus.gpus, output),
    );
  return lines;
}

function gpuTable(gpus: readonly Gpu[], output: Output): readonly string[] {
  const mebibytes = (value: number | null) =>
    value === null ? '?' : formatBytes(value * 1024 * 1024);
  return table(
    [
      { title: 'GPU', align: 'right' },
      { title: 'Name' },
      { title: 'Memory used' },
      { title: 'Load', align: 'right' },
      { title: 'Processes', align: 'right' },
      { title: 'UUID' },
    ],
    gpus.map((gpu) => [
      String(gpu.index),
      gpu.name,
      `${mebibytes(gpu.memoryUsed)} of ${mebibytes(gpu.memoryTotal)}`,
      gpu.utilization === null ? '?' : `${gpu.utilization} %`,
      gpu.needsReset === true
        ? 'needs a reset'
        : printable(gpu.blocked?.reason ?? String(gpu.processes.length)),
      gpu.uuid,
    ]),
    (text) => output.paint('bold', text, output.stdout),
  );
}
