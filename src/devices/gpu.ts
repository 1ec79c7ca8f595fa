import { convertWeights } from '../checkpoint/convert-weights.js';
import { ZrankError } from '../error.js';
import type { GraphForm } from '../graph/operators.js';
import { openAddon } from '../libraries/open-addon.js';
import type { DecoderNetwork } from '../networks/cross-encoder.js';
import type { Decoder } from '../networks/decoder/decoder.js';
import { activationBytes } from '../networks/decoder/memory.js';
import { inOrderOfUse } from '../networks/decoder/tensors.js';
import type { EngineModel } from '../runtime/engine.js';
import { paddedTokensPerToken } from '../runtime/work.js';
import type { GatedUnits, GpuAttention, PlacementOptions, Precision, Products } from './device.js';
import type { MemoryNeeds } from './gpu-memory.js';
import { cpuModel, gpuModel, type Gpus } from './models.js';
import { probe, probeReference, type ProbeReference } from './probe.js';
import { probeNetwork } from './probe-network.js';

export type GpuPrecision = Exclude<Precision, 'int8'>;

/** A way for a kind of GPU to run a network. */
export interface Form {
  precision: GpuPrecision;
  compute: GraphForm['compute'];
  attention: GpuAttention;
  gatedUnits: GatedUnits;
  products: Products;
}

/** How a form is written. */
const written = ({ compute, attention, gatedUnits, products }: Form, positions: number): GraphForm => {
  const own = { fusesGatedUnits: gatedUnits === 'fused', tunesProducts: products === 'tuned' };
  return { compute, attention, positions, ...own };
};

/** What a form was built to. */
export interface Built extends Form {
  model: EngineModel;
  memoryNeeds: MemoryNeeds;
}

/**
 * How far the probe's logits on a GPU may lie from the CPU's: root mean square, relative to the logits'. Measured on a
 * software driver: fp32 1e-6 to 2e-6, fp16 0.002 to 0.006, attention that errs beyond its first tile 0.057 to 0.134.
 */
const probeTolerance: Record<GpuPrecision, number> = { fp32: 1e-3, fp16: 0.02, bf16: 0.05 };

/**
 * Tokens of the longest sequence: more than any tile of attention, for `paged` more than a block of the cache, for
 * `tiled` two tiles.
 */
const probeLength = ({ attention }: PlacementOptions) => (attention === 'paged' || attention === 'tiled' ? 300 : 110);

/** The last layer needs the last tokens' attention alone, and only there is `tiled` asked for less than all. */
const probeLayers = ({ attention }: PlacementOptions) => (attention === 'tiled' ? 2 : 1);

/**
 * Builds the first form that computes a small network with the attention of this one as the CPU does: ONNX Runtime
 * 1.30's WebGPU GroupQueryAttention, for one, errs beyond its first tile on some devices. Throws DEVICE_UNAVAILABLE
 * where none does. Why one is passed over is added to `rejected`.
 */
export async function buildFirst(
  network: DecoderNetwork,
  gpus: Gpus,
  forms: readonly Form[],
  options: PlacementOptions,
  rejected: string[],
): Promise<Built> {
  const probes = new Map<string, Probe>();
  for (const form of forms) {
    const dtype = storedDtype(form);
    const prepared = probes.get(dtype) ?? (await prepareProbe(network, dtype, options));
    probes.set(dtype, prepared);
    const fault = await findFault(prepared, gpus, form);
    if (fault === undefined) return build(network, gpus, form, options);
    const units = form.gatedUnits === 'fused' ? ' and fused gated units' : '';
    const products = form.products === 'tuned' ? ', tuned products' : '';
    rejected.push(`${gpus.kind} in ${form.precision} with ${form.attention} attention${units}${products}: ${fault}`);
  }
  throw new ZrankError('DEVICE_UNAVAILABLE', `${gpus.kind} cannot run this model: ${rejected.join('; ')}`);
}

interface Probe {
  network: Decoder;
  reference: ProbeReference;
}

/** bf16 is computed from weights in fp32, or from those that are bf16 already. */
const storedDtype = ({ precision }: Form) => (precision === 'fp16' ? 'F16' : 'F32');

async function prepareProbe(network: Decoder, dtype: 'F16' | 'F32', options: PlacementOptions): Promise<Probe> {
  const small = await probeNetwork(network, probeLayers(options), dtype, options.cacheFolder);
  return { network: small, reference: await probeReference(cpuModel(small), probeLength(options)) };
}

/** Why the form is not to be used on one of these GPUs. */
async function findFault({ network, reference }: Probe, gpus: Gpus, form: Form): Promise<string | undefined> {
  for (const index of gpus.indices) {
    const model = gpuModel(network, written(form, reference.length), { ...gpus, indices: [index] });
    const fault = await probe(model, reference, probeTolerance[form.compute]);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

async function build(network: DecoderNetwork, gpus: Gpus, form: Form, options: PlacementOptions): Promise<Built> {
  const { cacheFolder, onProgress } = options;
  const { precision } = form;
  const graph = written(form, options.maxLength);
  const weights =
    precision === 'bf16'
      ? network.weights
      : await convertWeights(inOrderOfUse(network.config, network.weights), storedDtype(form), {
          cacheFolder,
          onProgress,
        });
  // What the GPU has no memory or no range for: in fp32, by zrank's kernels where there are any.
  const kernels = openAddon().kernels().arithmetics.includes('fp32') ? 'fp32' : undefined;
  const fallback = cpuModel(network, kernels).replicas[0]!;
  const model = { ...gpuModel({ ...network, weights }, graph, gpus), fallback };
  const memoryNeeds = {
    weights: [...weights.values()].reduce((sum, { length }) => sum + length, 0),
    perToken: activationBytes(network.config, graph, paddedTokensPerToken),
  };
  return { ...form, model, memoryNeeds };
}
