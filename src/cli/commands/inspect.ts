import { resolve } from 'node:path';
import { planCpu } from '../../devices/cpu.js';
import { openAddon } from '../../libraries/open-addon.js';
import type { Description } from '../../networks/cross-encoder.js';
import { readCrossEncoder } from '../../networks/network.js';
import { defaultThreads } from '../../runtime/engine.js';
import { defineCommand } from '../command.js';
import { print } from '../output.js';

export const command = defineCommand({
  positionals: { folder: { description: 'a model folder' } },
  options: { json: { description: 'print JSON' } },
  async run({ folder, json }) {
    const report = await inspectModel(resolve(folder));
    print(json ? report : lines(report));
  },
});

/** What the folder holds, and how it would run on this machine's CPU. */
async function inspectModel(folder: string): Promise<Description & { runs: string }> {
  const { network, describe } = await readCrossEncoder(folder);
  const plan =
    network.kind === 'decoder'
      ? planCpu('auto', network, openAddon().kernels().arithmetics)
      : { precision: 'fp32', reason: 'the precision of its file' };
  return {
    ...(await describe()),
    runs:
      `on the CPU in ${plan.precision} (${plan.reason}), ${defaultThreads()} threads, ` +
      'weights mapped from their files',
  };
}

function lines(report: Description & { runs: string }): string {
  const shown = {
    ...report,
    ...(report.parameters !== undefined && { parameters: `${(report.parameters / 1e6).toFixed(1)} M` }),
    weightBytes: `${(report.weightBytes / 1e6).toFixed(1)} MB`,
    weightFiles: report.weightFiles.join('\n'),
    prompt: JSON.stringify(report.prompt),
  };
  const width = Math.max(...Object.keys(shown).map((name) => name.length));
  return Object.entries(shown)
    .map(([name, value]) => `${name.padEnd(width)}  ${String(value).replaceAll('\n', `\n${' '.repeat(width + 2)}`)}\n`)
    .join('');
}
