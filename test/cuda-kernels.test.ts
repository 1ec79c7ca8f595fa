// zrank's CUDA kernels without a GPU. Real: the graph that CUDA gets with attention 'tiled' and fused gated units, the
// operators, the kernels' source, the layout of batches, the checkpoints. Doubles: an emulator runs the kernels, another
// library multiplies in cuBLASLt's place (native/test/cuda), and ONNX Runtime computes the other operators on the CPU: in
// fp16 as they are, in bf16, which it lacks there, between casts.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { convertWeights } from '../dist/checkpoint/convert-weights.js';
import { readSafetensorsHeader, safetensorsHeader, type Dtype } from '../dist/checkpoint/safetensors.js';
import type { Weights } from '../dist/checkpoint/weights.js';
import { cudaForms } from '../dist/devices/cuda.js';
import { openAddon } from '../dist/libraries/open-addon.js';
import { dataType, OnnxGraphWriter } from '../dist/graph/onnx.js';
import type { GraphForm } from '../dist/graph/operators.js';
import { Reranker } from '../dist/index.js';
import { readCheckpoint } from '../dist/networks/decoder/checkpoint.js';
import type { Decoder } from '../dist/networks/decoder/decoder.js';
import { writeGraph } from '../dist/networks/decoder/graph.js';
import { inOrderOfUse } from '../dist/networks/decoder/tensors.js';
import { probeNetwork } from '../dist/devices/probe-network.js';
import { expectCode, golden, root, temporaryFolder } from './support.js';

const run = promisify(execFile);
const kernelsFolder = join(root, 'native/kernels/cuda');

const python = process.env['ZRANK_PYTHON'];
if (!python) console.log('ZRANK_PYTHON is not set: the CUDA kernels are not compared with numpy');

/** Weights in fp16, in the order that a model on CUDA has them in. */
const halves = async ({ config, weights }: Decoder) =>
  convertWeights(inOrderOfUse(config, weights), 'F16', { cacheFolder: await temporaryFolder() });

/** Weights as they are stored and in their order, at multiples of 16 bytes, where a GPU's memory has them. */
async function aligned({ weights }: Decoder): Promise<Weights> {
  const tensors = [...weights.values()];
  const data = tensors.map(async ({ path, offset, length }) =>
    (await readFile(path)).subarray(offset, offset + length),
  );
  const header = safetensorsHeader(tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype: dtype as Dtype })));
  const path = join(await temporaryFolder(), 'model.safetensors');
  await writeFile(path, Buffer.concat([header, ...(await Promise.all(data))]));
  return new Map((await readSafetensorsHeader(path)).map((tensor) => [tensor.name, tensor]));
}

/** Until the test is over, graphs have fp32 instead of bf16 around the nodes that the CPU has no kernels in bf16 for. */
function castAroundNodes(): void {
  const write = OnnxGraphWriter.prototype.node;
  const fp32 = new Set<string>();
  const spy = vi.spyOn(OnnxGraphWriter.prototype, 'node');
  onTestFinished(() => spy.mockRestore());
  spy.mockImplementation(function (this: OnnxGraphWriter, op, inputs, outputs, attributes) {
    const cast = (from: string, to: string, type: number) =>
      write.call(this, 'Cast', [from], [to], { to: { int: type } });
    const to = attributes?.['to'];
    const givesFp32 = to === undefined ? fp32.has(inputs[0]!) : 'int' in to && to.int === dataType.float;
    if (givesFp32) outputs.forEach((output) => fp32.add(output));
    if (givesFp32 || op.startsWith('zrank:') || ['Cast', 'Gather'].includes(op))
      return write.call(this, op, inputs, outputs, attributes);
    const widened = inputs.map((input) => input && `${outputs[0]}:${input}`);
    inputs.forEach((input, i) => input && cast(input, widened[i]!, dataType.float));
    const wide = outputs.map((output) => output && `${output}:fp32`);
    write.call(this, op, widened, wide, attributes);
    outputs.forEach((output, i) => output && cast(wide[i]!, output, dataType.bfloat16));
  });
}

describe('on an emulated GPU', () => {
  beforeAll(() => run('cmake', ['--build', join(root, 'build'), '--target', 'zrank_emulate'], { cwd: root }), 300_000);

  async function emulatedLogits(
    decoder: Decoder,
    sequences: readonly number[][],
    options: Partial<GraphForm> = {},
  ): Promise<number[]> {
    const form = { compute: 'fp16', attention: 'tiled', fusesGatedUnits: true, positions: 600, ...options } as const;
    const { model, weightFolder } = writeGraph(decoder, form);
    const graph = join(await temporaryFolder(), 'graph.onnx');
    await writeFile(graph, model);
    const emulation = spawn(join(root, 'build/zrank_emulate'), [
      'graph',
      openAddon().runtime()!.path,
      graph,
      weightFolder,
    ]);
    emulation.stdin.end(sequences.map((ids) => ids.join(' ')).join('\n'));
    const [stdout, stderr] = await Promise.all([text(emulation.stdout), text(emulation.stderr)]);
    expect(stderr).toBe('');
    return stdout.trim().split('\n').map(Number);
  }

  // Heads of 32 (two and four to a key/value head), of 64, without norms, with biases, and one whose residual passes
  // the range of fp16. A numpy emulation of fp16's roundings on CUDA came to 0.018 to 0.025 at most.
  const goldens = ['causal-bf16', 'causal-fp32-sharded', 'causal-hot', 'llama-seqcls', 'qwen2-causal'];
  const forms: Partial<GraphForm>[] = [
    {},
    { tunesProducts: true },
    { tunesProducts: true, fusesGatedUnits: false },
    // Weights as they are stored, where keys lie apart from queries and values.
    { tunesProducts: true, compute: 'bf16' },
    { tunesProducts: true, compute: 'bf16', fusesGatedUnits: false },
  ];
  test.each(goldens.flatMap((name) => forms.map((form) => [name, form] as const)))(
    '%s %j has the logits of Hugging Face but for the roundings of its type',
    { timeout: 60_000 },
    async (name, form) => {
      const { folder, cases } = golden(name);
      const decoder = await readCheckpoint(folder);
      const isBf16 = form.compute === 'bf16';
      if (isBf16) castAroundNodes();
      const weights = isBf16 ? await aligned(decoder) : await halves(decoder);
      // Of causal-hot some where up alone would pass the range of fp16.
      const first = name === 'causal-hot' ? 16 : 0;
      const chosen = cases.slice(first, first + 12);
      const logits = await emulatedLogits(
        { ...decoder, weights },
        chosen.map(({ token_ids }) => token_ids),
        form,
      );
      chosen.forEach((entry, i) => {
        expect(Math.abs(logits[i]! - entry.logit_fp32), entry.name).toBeLessThanOrEqual(isBf16 ? 0.25 : 0.03);
      });
    },
  );

  test.skipIf(!python)('the kernels give what numpy gives', { timeout: 60_000 }, async () => {
    const { stdout } = await run(python!, [join(root, 'native/test/cuda/numpy_check.py'), '--cases', '2']);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual([
      'gated-units  fp16',
      'gated-units  bf16',
      'rotate-heads fp16',
      'rotate-heads bf16',
      'attention    fp16',
      'attention    bf16',
    ]);
  });
});

describe('forms on CUDA', () => {
  const ask = async (options: Partial<Parameters<typeof cudaForms>[1]>, headDim = 128) => {
    const config = { ...(await readCheckpoint(golden('causal-bf16').folder)).config, headDim };
    return cudaForms(config, {
      precision: 'auto',
      attention: 'auto',
      gatedUnits: 'auto',
      products: 'auto',
      ...options,
    }).map(
      ({ precision, attention, gatedUnits, products }) =>
        `${precision} ${attention} ${gatedUnits}${products === 'tuned' ? ' tuned' : ''}`,
    );
  };

  test("zrank's own kernels are tried where they are asked for, before what is taken otherwise", async () => {
    expect(await ask({})).toEqual(['fp16 fused plain', 'fp16 plain plain']);
    expect(await ask({ attention: 'paged' })).toEqual(['fp16 paged plain']);
    expect(await ask({ attention: 'tiled', precision: 'bf16' })).toEqual([
      'bf16 tiled plain',
      'bf16 fused plain',
      'bf16 plain plain',
    ]);
    expect(await ask({ attention: 'tiled', gatedUnits: 'fused' })).toEqual([
      'fp16 tiled fused',
      'fp16 tiled plain',
      'fp16 fused fused',
      'fp16 fused plain',
      'fp16 plain fused',
      'fp16 plain plain',
    ]);
    expect(await ask({ attention: 'plain', products: 'tuned' })).toEqual([
      'fp16 plain plain tuned',
      'fp16 plain plain',
    ]);
  });

  test('what they are not made for is an error', async () => {
    await expectCode(ask({ attention: 'tiled', precision: 'fp32' }), 'INVALID_ARGUMENT');
    await expectCode(ask({ gatedUnits: 'fused', precision: 'fp32' }), 'INVALID_ARGUMENT');
    await expectCode(ask({ products: 'tuned', precision: 'fp32' }), 'INVALID_ARGUMENT');
    await expectCode(ask({ attention: 'tiled' }, 80), 'INVALID_ARGUMENT');
    expect(await ask({ gatedUnits: 'fused' }, 80)).toContain('fp16 fused fused');
    for (const options of [{ gatedUnits: 'fused' }, { products: 'tuned' }] as const) {
      const { folder } = golden('causal-bf16');
      const encoder = join(root, 'test/fixtures/encoders/cross-encoder');
      for (const model of [folder, encoder])
        await expectCode(
          Reranker.load(model, { device: 'cpu', ...options }),
          'INVALID_ARGUMENT',
          /runs on CUDA; the CPU/,
        );
      await expectCode(
        Reranker.load(folder, { device: 'webgpu', ...options }),
        'INVALID_ARGUMENT',
        /^(gatedUnits 'fused'|products 'tuned') runs on CUDA only$/,
      );
    }
  });

  test('tuned products are of all weights of the same rows that lie side by side', async () => {
    const stored = await readCheckpoint(golden('causal-bf16').folder);
    const converted = { ...stored, weights: await halves(stored) };
    const count = (decoder: Decoder, form: Partial<GraphForm>, node = 'TunedMatMul') => {
      const compute = decoder === stored ? 'bf16' : 'fp16';
      const kernels = { attention: 'tiled', fusesGatedUnits: true, tunesProducts: true } as const;
      const { model } = writeGraph(decoder, { compute, ...kernels, ...form });
      return Buffer.from(model).toString('latin1').split(node).length - 1;
    };
    const { layers } = stored.config;
    // q, k and v, o, gate and up, down; in the last layer, where fewer rows have queries, q and k, v.
    expect(count(converted, {})).toBe(4 * layers + 1);
    // As transformers stores them: q and v, k; in the last layer each alone.
    expect(count(stored, {})).toBe(5 * layers + 1);
    // What is not zrank's kernels takes each alone.
    expect(count(converted, { fusesGatedUnits: false })).toBe(5 * layers + 1);
    expect(count(converted, { attention: 'fused', fusesGatedUnits: false })).toBe(7 * layers);
    // The head's.
    expect(count(converted, {}, 'Gemm')).toBe(1);
    expect(count(converted, { tunesProducts: false })).toBe(0);
  });

  test('the probe has a layer for all rows and one for the last ones', async () => {
    const decoder = await readCheckpoint(golden('causal-bf16').folder);
    const cacheFolder = await temporaryFolder();
    expect((await probeNetwork(decoder, 2, 'F16', cacheFolder)).config.layers).toBe(2);
  });
});

describe('the compiled kernels', () => {
  test('are those of the sources: tools/cuda-kernels.sh', async () => {
    const listed = (await readFile(join(kernelsFolder, 'kernels.txt'), 'utf8')).matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm);
    const hashes = Object.fromEntries([...listed].map(([, hash, file]) => [file, hash]));
    expect(Object.keys(hashes)).toContain('kernels.fatbin');
    for (const [file, hash] of Object.entries(hashes)) {
      const bytes = await readFile(join(kernelsFolder, file));
      expect(createHash('sha256').update(bytes).digest('hex'), file).toBe(hash);
    }
    // Each file that kernels.cu is made of is in the list.
    const source = await readFile(join(kernelsFolder, 'kernels.cu'), 'utf8');
    const includes = [...source.matchAll(/#include "kernels\/cuda\/(\S+)"/g)].map(([, file]) => file);
    expect(Object.keys(hashes)).toEqual(expect.arrayContaining(includes));
  });
});
