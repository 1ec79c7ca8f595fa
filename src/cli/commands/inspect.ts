import { planCpu } from '../../devices/cpu.js';
import { openAddon } from '../../libraries/open-addon.js';
import type { Description } from '../../networks/cross-encoder.js';
import { inspectFolder } from '../../networks/network.js';
import { defaultThreads } from '../../runtime/engine.js';
import { defineCommand } from '../command.js';
import { locateModel } from '../models.js';
import { print } from '../output.js';

export const command = defineCommand({
  positionals: { model: { description: "a folder, a model of the hub, or one of zrank's names" } },
  options: { json: { description: 'print JSON' } },
  async run({ model, json }) {
    const { folder } = await locateModel(model);
    const report = await inspectModel(folder);
    print(json ? report : lines(report));
  },
});

/** What the folder holds, and how it would run on this machine's CPU. */
async function inspectModel(folder: string): Promise<Description & { runs: string }> {
  const { description, network } = await inspectFolder(folder);
  const { target, arithmetics } = openAddon().kernels();
  const { precision, reason, hasKernels } =
    network?.kind === 'decoder'
      ? planCpu('auto', network, arithmetics)
      : { precision: 'fp32', reason: 'that of its file', hasKernels: false };
  const runs = `on the CPU in ${precision} (${reason}), kernels: ${hasKernels ? target : 'none'}`;
  return { ...description, runs: `${runs}, ${defaultThreads()} threads` };
}

function lines(report: Description & { runs: string }): string {
  const shown = {
    ...report,
    ...(report.parameters !== undefined && { parameters: `${(report.parameters / 1e6).toFixed(1)} M` }),
    weightBytes: `${(report.weightBytes / 1e6).toFixed(1)} MB`,
    weightFiles: report.weightFiles.join('\n'),
    ...(report.prompt !== undefined && { prompt: JSON.stringify(report.prompt) }),
    ...(report.prompts && { prompts: JSON.stringify(report.prompts) }),
  };
  const width = Math.max(...Object.keys(shown).map((name) => name.length));
  return Object.entries(shown)
    .map(([name, value]) => `${name.padEnd(width)}  ${String(value).replaceAll('\n', `\n${' '.repeat(width + 2)}`)}\n`)
    .join('');
}
