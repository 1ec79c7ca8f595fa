import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { dataType, OnnxGraphWriter } from '../graph/onnx.js';
import { seededRandom } from '../evaluation/random.js';
import { cudaIndex } from './machine.js';

/** A chain of this many [rows, size] x [size, size] products. */
const shapes = {
  cpu: { rows: 512, size: 1024, links: 2 },
  gpu: { rows: 8192, size: 4096, links: 32 },
};

/**
 * The best rate of bare MatMul nodes in ONNX Runtime, through onnxruntime-node: fp32 on the CPU, fp16 on a GPU. Sampled
 * all through a run, since other programs may take their share of the machine at any time.
 */
export class GemmPeak {
  readonly precision: 'fp32' | 'fp16';
  readonly #session: InferenceSession;
  readonly #feeds: { scale: Tensor };
  readonly #operations: number;
  #bestSeconds = Infinity;

  private constructor(session: InferenceSession, scale: Tensor, { rows, size, links }: (typeof shapes)['cpu'], onGpu: boolean) {
    this.precision = onGpu ? 'fp16' : 'fp32';
    this.#session = session;
    this.#feeds = { scale };
    this.#operations = 2 * rows * size * size * links;
  }

  /** Throws what onnxruntime-node does where it cannot use the device. */
  static async open(device: string, threads: number): Promise<GemmPeak> {
    // After the addon: of two libonnxruntime of one name a process keeps the first, and zrank's has the providers beside it.
    const { default: ort } = await import('onnxruntime-node');
    const provider = device.split(':')[0]!;
    const onGpu = provider === 'cuda' || provider === 'webgpu';
    const shape = onGpu ? shapes.gpu : shapes.cpu;
    const session = await ort.InferenceSession.create(chain(shape, onGpu), {
      executionProviders: [provider === 'cuda' ? { name: 'cuda', deviceId: cudaIndex(device) } : provider],
      intraOpNumThreads: threads,
      // Threads that wait busily would take the cores from what runs next.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    return new GemmPeak(session, new ort.Tensor('float32', Float32Array.of(1), [1]), shape, onGpu);
  }

  async sample(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
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
 * scale [1] times a matrix [rows, size] times another, `links` times over, averaged to one number a row: what is large stays
 * on the device.
 */
function chain({ rows, size, links }: (typeof shapes)['cpu'], half: boolean): Uint8Array {
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

/** Uniform numbers in [-scale, scale). */
function noise(count: number, scale: number): Float32Array {
  const random = seededRandom(1);
  return Float32Array.from({ length: count }, () => (2 * random() - 1) * scale);
}
