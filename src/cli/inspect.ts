import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { planCpu } from '../devices/cpu.js';
import { ZrankError } from '../error.js';
import { openAddon } from '../libraries/open-addon.js';
import type { Description } from '../networks/cross-encoder.js';
import { readCrossEncoder } from '../networks/network.js';
import { defaultThreads } from '../runtime/engine.js';

const help = `Usage: zrank inspect FOLDER [--json]

Says what a model folder holds: architecture, parameters, dtype, prompt, scoring token, and what would run where.
`;

/** zrank inspect */
export async function inspect(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length) throw new ZrankError('INVALID_ARGUMENT', 'zrank inspect takes one FOLDER');
  const report = await inspectModel(resolve(folder));
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : lines(report));
  return 0;
}

/** What the folder holds, and how it would run on this machine's CPU. */
async function inspectModel(folder: string): Promise<Description & { runs: string }> {
  const { network, describe } = await readCrossEncoder(folder);
  const plan =
    network.kind === 'decoder'
      ? planCpu('auto', network, openAddon().kernels().arithmetics)
      : { precision: 'fp32', reason: 'the precision of its file' };
  return {
    ...(await describe()),
    runs: `on the CPU in ${plan.precision} (${plan.reason}), ${defaultThreads()} threads, weights mapped from their files`,
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
