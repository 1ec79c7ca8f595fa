import { ZrankError } from '../error.js';
import { openAddon } from '../libraries/open-addon.js';
import { fromNative } from '../addon.js';
import type { DeviceKind, PlacementOptions } from './device.js';
import { buildFirst, type Form, type GpuPrecision } from './gpu.js';

/**
 * What every WebGPU device binds as one buffer (the default of maxStorageBufferBindingSize). ONNX Runtime 1.30 parts a
 * larger tensor, and its Softmax leaves zeros in all parts but the first.
 */
const maxTensorBytes = 128 * 2 ** 20;

/** Any GPU, through Vulkan, Metal or Direct3D 12. */
export const webgpu: DeviceKind = {
  name: 'webgpu',
  isAutomatic: false,
  isNumbered: false,
  async place(network, options, indices, rejected) {
    if (options.gatedUnits === 'fused')
      throw new ZrankError('INVALID_ARGUMENT', `gatedUnits 'fused' runs on CUDA only`);
    if (options.products === 'tuned') throw new ZrankError('INVALID_ARGUMENT', `products 'tuned' runs on CUDA only`);
    const forms = webgpuForms(options);
    try {
      openAddon().checkDevice('webgpu', 0);
    } catch (error) {
      throw fromNative(error);
    }
    const gpus = { kind: 'webgpu', indices, maxTensorBytes } as const;
    const { model, precision, attention } = await buildFirst(network, gpus, forms, options, rejected);
    return {
      model,
      placement: { device: 'webgpu', precision, attention, rejected },
    };
  },
};

/** Products are fp32 in all: ONNX Runtime 1.30's WebGPU adds up in the type of the factors, which in fp16 overflows. */
function webgpuForms({ precision, attention }: Pick<PlacementOptions, 'precision' | 'attention'>): Form[] {
  if (precision === 'int8') throw new ZrankError('INVALID_ARGUMENT', `precision 'int8' runs on the CPU, not on webgpu`);
  if (precision === 'bf16') {
    throw new ZrankError('INVALID_ARGUMENT', `WebGPU has no bf16; its precisions are 'fp32' and 'fp16'`);
  }
  if (attention === 'paged' || attention === 'tiled') {
    throw new ZrankError('INVALID_ARGUMENT', `attention '${attention}' runs on CUDA only`);
  }
  const precisions: GpuPrecision[] = precision === 'auto' ? ['fp16', 'fp32'] : [precision];
  const attentions = attention === 'auto' ? (['fused', 'plain'] as const) : [attention];
  return precisions.flatMap((stored) =>
    attentions.map(
      (kind): Form => ({ precision: stored, compute: 'fp32', attention: kind, gatedUnits: 'plain', products: 'plain' }),
    ),
  );
}
