import { ZrankError } from '../error.js';
import { openAddon } from '../libraries/open-addon.js';
import type { Network, OnnxEncoderNetwork } from '../networks/cross-encoder.js';
import { cpu, refuseGpuKinds } from './cpu.js';
import { cuda } from './cuda.js';
import type { Device, DeviceKind, Placed, PlacementOptions } from './device.js';
import { webgpu } from './webgpu.js';

/** In the order in which `auto` asks them. A kind of device is a file beside this one and an entry here. */
const kinds: readonly DeviceKind[] = [cuda, webgpu, cpu];

/** The devices that may be asked for, in words. */
export const deviceNames: string = [
  'auto',
  ...kinds.flatMap(({ name, isNumbered }) => [name, ...(isNumbered ? [`${name}:N`, `${name}:N,M`] : [])]),
]
  .map((name) => JSON.stringify(name))
  .join(', ')
  .replace(/, (?=[^,]*$)/, ' or ');

/** Whether a value is a Device. */
export function isDevice(value: unknown): value is Device {
  return value === 'auto' || (typeof value === 'string' && parse(value) !== undefined);
}

/** Places a network on the device that is asked for; `auto` takes the first that is there and computes rightly. */
export async function place(network: Network, device: Device, options: PlacementOptions): Promise<Placed> {
  if (network.kind === 'onnx-encoder') return placeOnnxEncoder(network, device, options);
  const rejected: string[] = [];
  if (device !== 'auto') {
    const { kind, indices } = parse(device)!;
    return kind.place(network, options, indices, rejected);
  }
  // What no device can do without fails here, once.
  openAddon();
  const automatic = kinds.filter(({ isAutomatic }) => isAutomatic);
  for (const kind of automatic) {
    try {
      return await kind.place(network, options, [0], rejected);
    } catch (error) {
      if (!(error instanceof ZrankError)) throw error;
      if (kind === automatic.at(-1)) {
        throw new ZrankError(error.code, [error.message, ...rejected].join('; '), { cause: error });
      }
      rejected.push(`${kind.name}: ${error.message}`);
    }
  }
  throw new ZrankError('INTERNAL', 'no device is asked for automatically');
}

function parse(device: string): { kind: DeviceKind; indices: number[] } | undefined {
  const [, name, numbers] = /^([a-z]+)(?::(\d+(?:,\d+)*))?$/.exec(device) ?? [];
  const kind = kinds.find((known) => known.name === name && (numbers === undefined || known.isNumbered));
  return kind && { kind, indices: [...new Set((numbers ?? '0').split(',').map(Number))] };
}

/** Runs from its file, on the CPU. */
function placeOnnxEncoder({ model }: OnnxEncoderNetwork, device: Device, options: PlacementOptions): Placed {
  if (device !== 'auto' && device !== 'cpu') {
    throw new ZrankError('DEVICE_UNAVAILABLE', 'ONNX encoders run on the CPU only');
  }
  const { precision } = options;
  if (precision !== 'auto' && precision !== 'fp32') {
    throw new ZrankError('INVALID_ARGUMENT', `an ONNX encoder runs in the precision of its file, not in ${precision}`);
  }
  refuseGpuKinds(options);
  return {
    model,
    placement: { device: 'cpu', precision: 'fp32', attention: 'grouped', rejected: [] },
  };
}
