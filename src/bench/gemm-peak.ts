import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { dataType, OnnxGraphWriter } from '../graph/onnx.js';
import { seededRandom } from '../random.js';

/** A chain of this many [rows, size] x [size, size] products. */
const chains = {
  cpu: { rows: 512, size: 1024, links: 2 },
  webgpu: { rows: 1024, size: 1024, links: 8 },
  cuda: { rows: 8192, size: 4096, links: 32 },
};
/** Of one call of sample(). */
const mostMs = 2000;

type Chain = (typeof chains)['cpu'];

/**
 * The best rate of bare MatMul nodes in ONNX Runtime, through onnxruntime-node: fp16 on a GPU that computes in 16 bits,
 * else fp32. Sampled all through a run, since other programs may take their share of the machine at any time.
 */
export class GemmPeak {
  readonly precision: 'fp32' | 'fp16';
  readonly #session: InferenceSession;
  readonly #feeds: { scale: Tensor };
  readonly #operations: number;
  #bestSeconds = Infinity;

  private constructor(
    session: InferenceSession,
    scale: Tensor,
    { rows, size, links }: Chain,
    precision: 'fp32' | 'fp16',
  ) {
    this.precision = precision;
    this.#session = session;
    this.#feeds = { scale };
    this.#operations = 2 * rows * size * size * links;
  }

  /**
   * `device` and `precision` as a placement names them. Throws what onnxruntime-node does where it cannot use the
   * device.
   */
  static async open(device: string, precision: string, threads: number): Promise<GemmPeak> {
    // After the addon: of two libonnxruntime of one name a process keeps the first, and zrank's has the providers
    // beside it.
    const { default: ort } = await import('onnxruntime-node');
    const provider = device.split(':')[0] as keyof typeof chains;
    const ownPrecision = provider === 'cpu' || precision === 'fp32' ? 'fp32' : 'fp16';
    const session = await ort.InferenceSession.create(writeChain(chains[provider], ownPrecision === 'fp16'), {
      executionProviders: [provider === 'cuda' ? { name: provider, deviceId: cudaIndex(device) } : provider],
      intraOpNumThreads: threads,
      // Threads that wait busily would take the cores from what runs next.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    return new GemmPeak(session, new ort.Tensor('float32', Float32Array.of(1), [1]), chains[provider], ownPrecision);
  }

  async sample(times: number): Promise<void> {
    const begin = performance.now();
    for (let i = 0; i < times && performance.now() - begin < mostMs; i++) {
      const start = performance.now();
      await this.#session.run(this.#feeds);
      this.#bestSeconds = Math.min(this.#bestSeconds, (performance.now() - start) / 1000);
    }
  }

  /** Floating point operations a second, the best so far. */
  get flops(): number {
    return this.#operations / this.#bestSeconds;
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

/**
 * scale [1] times a matrix [rows, size] times another, `links` times over, averaged to one number a row: what is large
 * stays on the device.
 */
function writeChain({ rows, size, links }: Chain, half: boolean): Uint8Array {
  const graph = new OnnxGraphWriter();
  graph.input('scale', dataType.float, [1]);
  graph.constant('x', noise(rows * size, 1), [rows, size]);
  graph.constant('w', noise(size * size, Math.sqrt(3 / size)), [size, size]);
  const cast = (name: string, type: number) => {
    graph.node('Cast', [name], [`${name}_cast`], { to: { int: type } });
    return `${name}_cast`;
  };
  const weight = half ? cast('w', dataType.float16) : 'w';
  graph.node('Mul', half ? [cast('x', dataType.float16), cast('scale', dataType.float16)] : ['x', 'scale'], ['scaled']);
  let value = 'scaled';
  for (let i = 0; i < links; i++) {
    graph.node('MatMul', [value, weight], [`y${i}`]);
    value = `y${i}`;
  }
  if (half) value = cast(value, dataType.float);
  graph.constant('axes', BigInt64Array.of(1n), [1]);
  graph.node('ReduceMean', [value, 'axes'], ['mean'], { keepdims: { int: 0 } });
  graph.output('mean', dataType.float, [rows]);
  return graph.finish('gemm-peak', { '': 21 });
}

/** The GPU that a device such as `cuda:1` or `cuda:0,1` names first. */
export function cudaIndex(device: string): number {
  return Number.parseInt(device.split(':')[1] ?? '0', 10);
}

/** Uniform numbers in [-scale, scale). */
function noise(count: number, scale: number): Float32Array {
  const random = seededRandom(1);
  return Float32Array.from({ length: count }, () => (2 * random() - 1) * scale);
}
