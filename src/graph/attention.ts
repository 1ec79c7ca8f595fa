import { dataType } from './onnx.js';
import { microsoft, own, type Operators } from './operators.js';
import { rotaryTables } from './rotary.js';

/** Added to the scores of keys behind a query: zero after the softmax, and finite. */
const masked = -30_000;

/** Positions of the B * S laid out by `expand` whose attention is wanted: a row a token, or every sequence's last. */
export type AttendedRows = 'compact' | 'last_flat';

/**
 * Causal self-attention with a norm on each head of queries and keys, over the sequences of a packed batch: the projections
 * see the T unique tokens, `expand` lays them out as B right-padded sequences of S tokens.
 */
export class Attention {
  readonly #ops: Operators;
  /** [S, headDim / 2] */
  readonly #cos: string;
  readonly #sin: string;
  /** [S, S] in fp32, for attention from plain operators. */
  readonly #mask: string | undefined;

  /** Declares the inputs of the graph that attention alone takes, and writes what all layers share. */
  constructor(ops: Operators) {
    const { int32, float } = dataType;
    this.#ops = ops;
    ops.graph.input('seqlens_k', int32, ['B']);
    ops.graph.input('total_sequence_length', int32, [1]);
    const integer = (name: string, value: number) => ops.graph.constant(name, Int32Array.of(value), []);
    const total = ops.node('Reshape', ['total_sequence_length', ops.graph.constant('shape_scalar', new BigInt64Array(0), [0])]);
    const positions = ops.node('Cast', [ops.node('Range', [integer('zero', 0), total, integer('one', 1)])], { to: { int: float } });
    const column = ops.node('Reshape', [positions, ops.shape(-1, 1)]);
    const { cos, sin } = rotaryTables(ops, column);
    this.#cos = cos;
    this.#sin = sin;
    if (ops.options.attention !== 'plain') return;
    // min(query - key, 0) is negative where the key lies behind the query.
    const distance = ops.node('Sub', [column, ops.node('Reshape', [positions, ops.shape(1, -1)])]);
    const constant = (name: string, value: number) => ops.graph.constant(name, Float32Array.of(value), []);
    this.#mask = ops.node('Mul', [ops.node('Min', [distance, constant('float_zero', 0)]), constant('mask_slope', -masked)]);
  }

  /** From [T, hidden] to [rows, heads * headDim], before the output projection. */
  layer(prefix: string, hidden: string, rows: AttendedRows): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim } = ops.config;
    const isFused = ops.options.attention === 'fused';
    const projected = ops.project(hidden, 'T', ['q', 'k', 'v'].map((name) => `${prefix}${name}_proj.weight`)) as [string, string, string];
    if (this.#hasKernel()) return this.#kernel(projected, prefix, rows);
    if (!isFused) {
      projected[0] = this.#headNorm(projected[0], heads, `${prefix}q_norm.weight`);
      projected[1] = this.#headNorm(projected[1], keyValueHeads, `${prefix}k_norm.weight`);
    }
    const [queries, keys, values] = projected.map((row) => ops.gather(row, 'expand')) as [string, string, string];
    const attended =
      ops.options.attention === 'plain' ? this.#plain(queries, keys, values) : this.#grouped(queries, keys, values, isFused ? prefix : undefined);
    return ops.gather(ops.node('Reshape', [attended, ops.shape(-1, heads * headDim)]), rows);
  }

  /** zrank's own attention is made for heads of whole registers. */
  #hasKernel(): boolean {
    return this.#ops.options.kernels !== undefined && this.#ops.config.headDim % 32 === 0;
  }

  /** zrank's own attention takes the unique tokens as they are, and norms and rotates them itself. */
  #kernel(projected: readonly string[], prefix: string, rows: AttendedRows): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim, rmsNormEpsilon } = ops.config;
    const attended = ops.graph.value(ops.name(), dataType.float, [rows === 'compact' ? 'T' : 'B', heads * headDim]);
    ops.graph.node(`${own}:Attention`, [...projected, ...this.#headNormWeights(prefix), this.#cos, this.#sin, 'expand', rows], [attended], {
      arithmetic: { string: ops.options.kernels! },
      heads: { int: heads },
      key_value_heads: { int: keyValueHeads },
      epsilon: { float: rmsNormEpsilon },
    });
    return attended;
  }

  /** GroupQueryAttention of com.microsoft; `normPrefix` names the norms that it applies itself. */
  #grouped(queries: string, keys: string, values: string, normPrefix: string | undefined): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, rmsNormEpsilon } = ops.config;
    const norms = normPrefix === undefined ? [] : ['', '', '', '', '', ...this.#headNormWeights(normPrefix)];
    const attended = ops.name();
    // The present outputs, though unused, turn on the operator's flash path on the CPU and are needed on CUDA.
    ops.graph.node(
      `${microsoft}:GroupQueryAttention`,
      [queries, keys, values, '', '', 'seqlens_k', 'total_sequence_length', this.#cos, this.#sin, ...norms],
      [attended, ops.name(), ops.name()],
      {
        num_heads: { int: heads },
        kv_num_heads: { int: keyValueHeads },
        do_rotary: { int: 1 },
        ...(normPrefix !== undefined && { qk_norm_epsilon: { float: rmsNormEpsilon } }),
      },
    );
    return attended;
  }

  /** softmax(q k^T / sqrt(headDim) + mask) v with the softmax in fp32, for devices whose GroupQueryAttention errs. */
  #plain(queries: string, keys: string, values: string): string {
    const ops = this.#ops;
    const { heads, keyValueHeads, headDim } = ops.config;
    const split = (rows: string, count: number) => ops.node('Transpose', [ops.node('Reshape', [rows, ops.shape(0, 0, count, headDim)])], { perm: { ints: [0, 2, 1, 3] } });
    const start = ops.graph.constant('rope_start', BigInt64Array.of(0n), [1]);
    const rotate = (parted: string) => ops.node(`${microsoft}:RotaryEmbedding`, [parted, start, this.#cos, this.#sin]);
    // Each key/value head serves the query heads of its group.
    const groupOf = Int32Array.from({ length: heads }, (_, head) => Math.floor((head * keyValueHeads) / heads));
    const repeat = (parted: string) => (heads === keyValueHeads ? parted : ops.gather(parted, ops.graph.constant('head_group', groupOf, [heads]), 1));

    const scaled = ops.node('Mul', [rotate(split(queries, heads)), ops.scalar('query_scale', headDim ** -0.5)]);
    const transposed = ops.node('Transpose', [repeat(rotate(split(keys, keyValueHeads)))], { perm: { ints: [0, 1, 3, 2] } });
    const scores = ops.cast(ops.node('MatMul', [scaled, transposed]), ops.compute, dataType.float);
    const weights = ops.node('Softmax', [ops.node('Add', [scores, this.#mask!])], { axis: { int: -1 } });
    const attended = ops.node('MatMul', [ops.cast(weights, dataType.float, ops.compute), repeat(split(values, keyValueHeads))]);
    return ops.node('Transpose', [attended], { perm: { ints: [0, 2, 1, 3] } });
  }

  /** RMSNorm of each head of [T, heads * headDim]. */
  #headNorm(rows: string, heads: number, weight: string): string {
    const ops = this.#ops;
    const { headDim, rmsNormEpsilon } = ops.config;
    const normed = ops.rmsNorm(ops.node('Reshape', [rows, ops.shape(-1, headDim)]), ops.weight(weight), rmsNormEpsilon);
    return ops.node('Reshape', [normed, ops.shape(-1, heads * headDim)]);
  }

  #headNormWeights(prefix: string): string[] {
    return ['q', 'k'].map((name) => this.#ops.weight(`${prefix}${name}_norm.weight`));
  }
}
