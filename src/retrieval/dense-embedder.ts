import { setImmediate as nextTurn } from 'node:timers/promises';
import { readTensor } from '../checkpoint/tensor.js';
import { throwIfAborted, ZrankError } from '../error.js';
import { activations, type DenseModule } from '../networks/encoder/dense.js';
import type { RunOptions } from '../runtime/engine.js';
import { type Embedder, finishRow } from './embedder.js';

interface Layer {
  /** [outputs, inputs] */
  weight: Float32Array;
  /** [outputs] */
  bias: Float32Array;
  activation(x: number): number;
}

/** Rows between turns of the event loop: some milliseconds. */
const rowsPerTurn = 16;

/** An embedder whose rows pass through Dense modules, and perhaps Normalize. */
export class DenseEmbedder implements Embedder {
  readonly dimensions: number;
  readonly #embedder: Embedder;
  readonly #layers: readonly Layer[];
  readonly #normalize: boolean;

  private constructor(embedder: Embedder, layers: readonly Layer[], normalize: boolean) {
    this.#embedder = embedder;
    this.#layers = layers;
    this.#normalize = normalize;
    this.dimensions = layers.at(-1)!.bias.length;
  }

  /**
   * Reads the weights; `embedder` is closed where that fails. Throws TENSOR_SHAPE_MISMATCH where a layer does not take
   * what comes before it.
   */
  static async open(embedder: Embedder, modules: readonly DenseModule[], normalize: boolean): Promise<DenseEmbedder> {
    try {
      const layers: Layer[] = [];
      let width = embedder.dimensions;
      for (const { weight, bias, activation } of modules) {
        const [outputs, inputs] = weight.shape;
        if (inputs !== width) {
          throw new ZrankError(
            'TENSOR_SHAPE_MISMATCH',
            `${weight.path}: expected ${width} inputs, the length of what comes before, but received ${inputs}`,
          );
        }
        width = outputs!;
        layers.push({
          weight: await readTensor(weight),
          bias: bias === undefined ? new Float32Array(width) : await readTensor(bias),
          activation: activations[activation],
        });
      }
      return new DenseEmbedder(embedder, layers, normalize);
    } catch (error) {
      await embedder.close();
      throw error;
    }
  }

  async embed(texts: readonly string[], options: RunOptions): Promise<Float32Array> {
    const rows = await this.#embedder.embed(texts, options);
    const width = this.#embedder.dimensions;
    const embeddings = new Float32Array(texts.length * this.dimensions);
    for (let i = 0; i < texts.length; i++) {
      if (i % rowsPerTurn === rowsPerTurn - 1) await nextTurn();
      throwIfAborted(options.signal);
      const row = this.#layers.reduce(applyLayer, rows.subarray(i * width, (i + 1) * width));
      finishRow(row, this.#normalize);
      embeddings.set(row, i * this.dimensions);
    }
    return embeddings;
  }

  close(): Promise<void> {
    return this.#embedder.close();
  }
}

function applyLayer(row: Float32Array, { weight, bias, activation }: Layer): Float32Array {
  return bias.map((start, output) => {
    let sum = start;
    const offset = output * row.length;
    for (let i = 0; i < row.length; i++) sum += weight[offset + i]! * row[i]!;
    return activation(sum);
  });
}
