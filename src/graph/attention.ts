import { dataType, type DataType } from './onnx.js';
import { microsoft, own, type Operators, type Projection } from './operators.js';
import { positionColumn, rotaryFrequencies, rotaryTables, type Rope } from './rotary.js';

/** Added to the scores of keys behind a query: zero after the softmax, and finite. */
const masked = -30_000;

/** The attention of a network. */
export interface AttentionConfig {
  /** Query heads. */
  heads: number;
  /** Heads of keys and values, each shared by as many query heads. */
  keyValueHeads: number;
  headDim: number;
  rmsNormEpsilon: number;
  rope: Rope;
}

/** Names of the tensors of a layer's attention. */
export interface AttentionTensors {
  projections: readonly [queries: Projection, keys: Projection, values: Projection];
  /** RMSNorms of each head, where there are any. */
  norms: readonly [queries: string, keys: string] | undefined;
}

/** Whose attention is wanted: a row a token, or every sequence's last. */
export type AttendedRows = 'all' | 'last';
/** Their positions of the B * S laid out by `expand`, by name of the graph's input; and the tiles of our own kernels. */
const flatRows = { all: 'compact', last: 'last_flat' } as const;
const tilesOf = { all: 'tiles', last: 'last_tiles' } as const;

/** Tokens of a block of PagedAttention's cache (kPagedBlockSize in native/core/contract.h). */
export const pagedBlockSize = 256;
/** zrank's own attention is made for heads of a multiple of this many elements (kHeadDimMultiple there). */
export const kernelHeadDim = 32;

/** Whether zrank's CUDA kernels are compiled for heads of this size and grouping (native/kernels/cuda/launch.cc). */
export function hasTiledAttention({ heads, keyValueHeads, headDim }: AttentionConfig): boolean {
  return [32, 64, 96, 128].includes(headDim) && heads / keyValueHeads <= 128;
}

/**
 * Causal self-attention over the sequences of a packed batch. The projections see the T unique tokens; `expand` lays
 * them out as B right-padded sequences of S tokens, or for PagedAttention as sequences without padding, E tokens in
 * all.
 */
export class Attention {
  readonly #ops: Operators;
  readonly #config: AttentionConfig;
  /** The type of the computation, but fp32 for attention from plain operators, which would round at every step. */
  readonly #type: DataType;
  /** [S or more, headDim / 2] */
  readonly #cos: string;
  readonly #sin: string;
  /** [S, S], for attention from plain operators. */
  readonly #mask: string | undefined;
  /**
   * [blocks, block size, key/value heads, headDim], for PagedAttention: each layer overwrites what the one before it
   * left.
   */
  readonly #caches: readonly string[] = [];

  /** Declares the inputs of the graph that attention alone takes, and writes what all layers share. */
  constructor(ops: Operators, config: AttentionConfig) {
    this.#ops = ops;
    this.#config = config;
    const input = (name: string, shape: (string | number)[]) => ops.graph.input(name, dataType.int32, shape);
    const { attention } = ops.form;
    this.#type = attention === 'plain' ? dataType.float : ops.compute;
    input('expand', attention === 'paged' ? ['E'] : ['B', 'S']);
    if (attention === 'tiled') {
      input('positions', ['T']);
      input('tiles', ['N', 4]);
      input('last_tiles', ['M', 4]);
    } else {
      input('compact', ['T']);
      input('last_flat', ['B']);
    }
    if (attention === 'paged') {
      input('cumulative_sequence_length', ['sequences + 1']);
      input('past_seqlens', ['sequences']);
      input('block_table', ['sequences', 'W']);
      input('attention_metadata', [2]);
      this.#caches = this.#emptyCaches();
    } else if (attention !== 'tiled') {
      input('seqlens_k', ['B']);
      input('total_sequence_length', [1]);
    }
    const frequencies = rotaryFrequencies(config.rope, config.headDim);
    ({ cos: this.#cos, sin: this.#sin } = rotaryTables(
      ops,
      frequencies,
      attention === 'tiled' ? dataType.float : this.#type,
    ));
    if (attention === 'plain') this.#mask = this.#causalMask();
  }

  /**
   * Zeros [blocks, block size, key/value heads, headDim] for keys and values, each from an input of its own, [blocks,
   * 1] in int64: the layers write into them, and of two equal expressions an optimizer could make one.
   */
  #emptyCaches(): string[] {
    const ops = this.#ops;
    const { keyValueHeads, headDim } = this.#config;
    const zero = ops.node('Reshape', [ops.scalar('cache_zero', 0), ops.shape(1, 1)]);
    const block = ops.node('Expand', [zero, ops.shape(1, pagedBlockSize * keyValueHeads * headDim)]);
    return ['key_blocks', 'value_blocks'].map((blocks) => {
      ops.graph.input(blocks, dataType.int64, [2]);
      const cache = ops.node('Expand', [block, blocks]);
      return ops.node('Reshape', [cache, ops.shape(-1, pagedBlockSize, keyValueHeads, headDim)]);
    });
  }

  #causalMask(): string {
    const ops = this.#ops;
    const column = positionColumn(ops);
    // min(query - key, 0) is negative where the key lies behind the query.
    const distance = ops.node('Sub', [column, ops.node('Transpose', [column], { perm: { ints: [1, 0] } })]);
    const constant = (name: string, value: number) => ops.graph.constant(name, Float32Array.of(value), []);
    return ops.node('Mul', [ops.node('Min', [distance, constant('float_zero', 0)]), constant('mask_slope', -masked)]);
  }

  /** From [T, hidden] to [rows, heads * headDim], before the output projection. */
  layer({ projections, norms }: AttentionTensors, hidden: string, rows: AttendedRows): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim } = this.#config;
    const { attention } = ops.form;
    if (attention === 'tiled') return this.#tiled({ projections, norms }, hidden, rows);
    const projected = ops.project(hidden, 'T', projections).map((row) => ops.cast(row, ops.compute, this.#type));
    let [queries, keys, values] = projected as [string, string, string];
    const normWeights = norms?.map((weight) => ops.weight(weight, this.#type));
    if (this.#hasKernel()) return this.#kernel([queries, keys, values], normWeights, rows);
    if (normWeights !== undefined && attention !== 'fused') {
      queries = this.#headNorm(queries, heads, normWeights[0]!);
      keys = this.#headNorm(keys, keyValueHeads, normWeights[1]!);
    }
    queries = ops.gather(queries, 'expand');
    keys = ops.gather(keys, 'expand');
    values = ops.gather(values, 'expand');
    const attended = {
      plain: () => this.#plain(queries, keys, values),
      paged: () => this.#paged(queries, keys, values),
      fused: () => this.#grouped(queries, keys, values, normWeights),
      grouped: () => this.#grouped(queries, keys, values, undefined),
    }[attention]();
    const flat = ops.node('Reshape', [attended, ops.shape(-1, heads * headDim)]);
    return ops.cast(ops.gather(flat, flatRows[rows]), this.#type, ops.compute);
  }

  #hasKernel(): boolean {
    return this.#ops.form.kernels !== undefined && this.#config.headDim % kernelHeadDim === 0;
  }

  /** zrank's own attention takes the unique tokens as they are, and norms and rotates them itself. */
  #kernel(projected: readonly string[], norms: readonly string[] | undefined, rows: AttendedRows): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim, rmsNormEpsilon } = this.#config;
    const attended = ops.graph.value(ops.name(), dataType.float, [rows === 'all' ? 'T' : 'B', heads * headDim]);
    const inputs = [...projected, ...(norms ?? ['', '']), this.#cos, this.#sin, 'expand', flatRows[rows]];
    ops.graph.node(`${own}:Attention`, inputs, [attended], {
      arithmetic: { string: ops.form.kernels! },
      heads: { int: heads },
      key_value_heads: { int: keyValueHeads },
      epsilon: { float: rmsNormEpsilon },
    });
    return attended;
  }

  /**
   * zrank's attention on CUDA takes the unique tokens as they are: keys are normed and rotated once, queries inside it.
   * Where only the last rows are wanted, only they have queries.
   */
  #tiled({ projections, norms }: AttentionTensors, hidden: string, rows: AttendedRows): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim, rmsNormEpsilon } = this.#config;
    const [queryNorm = '', keyNorm = ''] = norms?.map((weight) => ops.weight(weight)) ?? [];
    const rowCount = rows === 'all' ? 'T' : 'B';
    const [queries, keys, values] =
      rows === 'all'
        ? ops.projectTogether(hidden, 'T', projections)
        : [
            ...ops.projectTogether(ops.gather(hidden, 'last'), 'B', projections.slice(0, 1)),
            ...ops.projectTogether(hidden, 'T', projections.slice(1)),
          ];
    const epsilon = { float: rmsNormEpsilon };

    const rotated = ops.graph.value(ops.name(), ops.compute, ['T', keyValueHeads * headDim]);
    ops.graph.node(`${own}:RotateHeads`, [keys!.matrix, keyNorm, this.#cos, this.#sin, 'positions'], [rotated], {
      heads: { int: keyValueHeads },
      first: { ints: [keys!.first] },
      epsilon,
    });
    const attended = ops.graph.value(ops.name(), ops.compute, [rowCount, heads * headDim]);
    const tables = [this.#cos, this.#sin, 'expand', tilesOf[rows]];
    const inputs = [queries!.matrix, rotated, values!.matrix, queryNorm, ...tables];
    ops.graph.node(`${own}:TiledAttention`, inputs, [attended], {
      heads: { int: heads },
      key_value_heads: { int: keyValueHeads },
      first: { ints: [queries!.first, values!.first] },
      epsilon,
    });
    return attended;
  }

  /** GroupQueryAttention of com.microsoft; `norms` are those that it applies itself. */
  #grouped(queries: string, keys: string, values: string, norms: readonly string[] | undefined): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, rmsNormEpsilon } = this.#config;
    const attended = ops.name();
    const tables = ['seqlens_k', 'total_sequence_length', this.#cos, this.#sin];
    const inputs = [queries, keys, values, '', '', ...tables, ...(norms ? ['', '', '', '', '', ...norms] : [])];
    // The present outputs, though unused, turn on the operator's flash path on the CPU and are needed on CUDA.
    ops.graph.node(`${microsoft}:GroupQueryAttention`, inputs, [attended, ops.name(), ops.name()], {
      num_heads: { int: heads },
      kv_num_heads: { int: keyValueHeads },
      do_rotary: { int: 1 },
      ...(norms && { qk_norm_epsilon: { float: rmsNormEpsilon } }),
    });
    return attended;
  }

  /**
   * PagedAttention of com.microsoft: FlashAttention-2 over sequences without padding. Its norms stay outside, where
   * shared tokens count once.
   */
  #paged(queries: string, keys: string, values: string): string {
    const { heads, keyValueHeads } = this.#config;
    const tables = ['cumulative_sequence_length', 'past_seqlens', 'block_table', this.#cos, this.#sin];
    const unused = ['', '', '', '', '', ''];
    const inputs = [queries, keys, values, ...this.#caches, ...tables, ...unused, 'attention_metadata'];
    return this.#ops.node(`${microsoft}:PagedAttention`, inputs, {
      num_heads: { int: heads },
      kv_num_heads: { int: keyValueHeads },
      do_rotary: { int: 1 },
    });
  }

  /** softmax(q k^T / sqrt(headDim) + mask) v, for devices whose GroupQueryAttention errs. */
  #plain(queries: string, keys: string, values: string): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim } = this.#config;
    const split = (rows: string, count: number) =>
      ops.node('Transpose', [ops.node('Reshape', [rows, ops.shape(0, 0, count, headDim)])], {
        perm: { ints: [0, 2, 1, 3] },
      });
    const start = ops.graph.constant('rope_start', BigInt64Array.of(0n), [1]);
    const rotate = (parted: string) => ops.node(`${microsoft}:RotaryEmbedding`, [parted, start, this.#cos, this.#sin]);
    // Each key/value head serves the query heads of its group.
    const groupOf = Int32Array.from({ length: heads }, (_, head) => Math.floor((head * keyValueHeads) / heads));
    const repeat = (parted: string) =>
      heads === keyValueHeads ? parted : ops.gather(parted, ops.graph.constant('head_group', groupOf, [heads]), 1);

    const scale = ops.graph.constant('query_scale', Float32Array.of(headDim ** -0.5), []);
    const scaled = ops.node('Mul', [rotate(split(queries, heads)), scale]);
    const transposed = ops.node('Transpose', [repeat(rotate(split(keys, keyValueHeads)))], {
      perm: { ints: [0, 1, 3, 2] },
    });
    const scores = ops.node('Add', [ops.node('MatMul', [scaled, transposed]), this.#mask!]);
    const weights = ops.node('Softmax', [scores], { axis: { int: -1 } });
    const attended = ops.node('MatMul', [weights, repeat(split(values, keyValueHeads))]);
    return ops.node('Transpose', [attended], { perm: { ints: [0, 2, 1, 3] } });
  }

  /** RMSNorm of each head of [T, heads * headDim]. */
  #headNorm(rows: string, heads: number, weight: string): string {
    const ops = this.#ops;
    const { headDim, rmsNormEpsilon } = this.#config;
    const parted = ops.node('Reshape', [rows, ops.shape(-1, headDim)]);
    return ops.node('Reshape', [ops.rmsNorm(parted, weight, rmsNormEpsilon), ops.shape(-1, heads * headDim)]);
  }
}
