import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.js';
import { pairEncoder } from '../cross-encoder.js';
import { ZrankError } from '../error.js';
import { PromptTemplate } from '../prompt/prompt-template.js';
import { loadAddon } from '../runtime/addon.js';
import { planCpu } from '../runtime/cpu-precision.js';
import { defaultThreads } from '../runtime/engine.js';
import { defaultTemperature } from '../scoring/probability.js';
import { Tokenizer } from '../tokenization/tokenizer.js';

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
  const report = await describe(await readCheckpoint(resolve(folder)));
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : lines(report));
  return 0;
}

async function describe(checkpoint: Checkpoint) {
  const { config, head, weights } = checkpoint;
  const tokenizer = new Tokenizer(checkpoint.tokenizer);
  const template = PromptTemplate.load(checkpoint.template);
  const pair = ['{query}', '{document}'] as const;
  const [encoded] = await pairEncoder(checkpoint, tokenizer).encode(template?.failure ? [] : [pair], {
    maxLength: checkpoint.maxLength,
    truncation: 'document',
    specialTokens: 'parse',
  });
  const tensors = [...weights.values()];
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.length, 0);
  const token = (id: number) => `${id} ${JSON.stringify(tokenizer.tokenText(id) ?? null)}`;
  const plan = planCpu('auto', checkpoint, loadAddon().kernels().arithmetics);
  const dtypes = [...new Set(tensors.map((tensor) => tensor.dtype))].sort();
  return {
    folder: checkpoint.folder,
    architecture: config.architecture,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    heads: `${config.heads} query, ${config.keyValueHeads} key/value, of ${config.headDim}`,
    vocabulary: config.vocabularySize,
    parameters: tensors.reduce((sum, tensor) => sum + tensor.shape.reduce((product, dim) => product * dim, 1), 0),
    dtype: dtypes.join(', '),
    weightBytes: bytes,
    weightFiles: [...new Set(tensors.map((tensor) => tensor.path))],
    maxLength: checkpoint.maxLength,
    prompt:
      template?.failure?.message ?? template?.render(...pair) ?? 'query and document, tokenized one after the other',
    promptTokens: encoded?.ids.length ?? 0,
    instruction: template === undefined ? 'none' : template.hasSystemMessage ? 'a system message' : 'inside the query',
    score:
      head.kind === 'token'
        ? `logit of token ${token(head.trueTokenId)}`
        : head.kind === 'log-odds'
          ? `logit of token ${token(head.trueTokenId)} minus that of ${token(head.falseTokenId)}`
          : 'score.weight, read at the last token that is not padding',
    temperature: defaultTemperature(head),
    runs: `on the CPU in ${plan.precision} (${plan.reason}), ${defaultThreads()} threads, weights mapped from their files`,
  };
}

function lines(report: Awaited<ReturnType<typeof describe>>): string {
  const shown = {
    ...report,
    parameters: `${(report.parameters / 1e6).toFixed(1)} M`,
    weightBytes: `${(report.weightBytes / 1e6).toFixed(1)} MB`,
    weightFiles: report.weightFiles.join('\n'),
    prompt: JSON.stringify(report.prompt),
  };
  const width = Math.max(...Object.keys(shown).map((name) => name.length));
  return Object.entries(shown)
    .map(([name, value]) => `${name.padEnd(width)}  ${String(value).replaceAll('\n', `\n${' '.repeat(width + 2)}`)}\n`)
    .join('');
}
