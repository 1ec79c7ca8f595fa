// Step: where the time goes, by kind of kernel. Builds of ONNX Runtime with CUDA profiling write an event a kernel; the
// published ones do not, and an operator's event is as long as its kernels where CUDA_LAUNCH_BLOCKING is set.
import { runsOf, sum, traceCalls } from './profile.mjs';
import { print, settings } from './state.mjs';

const operators = {
  gemm: ['MatMul', 'FusedMatMul', 'GatedMatMul', 'Gemm', 'MatMulNBits'],
  attention: ['GroupQueryAttention', 'PagedAttention', 'MultiHeadAttention', 'Attention', 'Softmax'],
  norm: ['SimplifiedLayerNormalization', 'SkipSimplifiedLayerNormalization', 'RMSNormalization'],
  rotary: ['RotaryEmbedding', 'Cos', 'Sin', 'Range'],
  gather: ['Gather'],
  elementwise: ['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Sigmoid', 'QuickGelu', 'Cast'],
  copy: [
    'MemcpyFromHost',
    'MemcpyToHost',
    'Reshape',
    'Transpose',
    'Concat',
    'Split',
    'Slice',
    'Expand',
    'Squeeze',
    'Unsqueeze',
    'Identity',
  ],
};
const kindOf = new Map(Object.entries(operators).flatMap(([kind, names]) => names.map((name) => [name, kind])));

const events = await traceCalls(settings.kernels);
const kernels = events.filter(({ cat }) => cat === 'Kernel');
const timed =
  kernels.length > 0 ? kernels : events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'));
const total = sum(timed.map(({ dur }) => dur));
const operatorMs = {};
const kinds = Object.fromEntries([...Object.keys(operators), 'other'].map((kind) => [kind, { ms: 0, share: 0 }]));
for (const { dur, args } of timed) {
  const kind = kinds[kindOf.get(args.op_name) ?? 'other'];
  kind.ms += dur / 1000 / settings.kernels.calls;
  kind.share += dur / total;
  operatorMs[args.op_name] = (operatorMs[args.op_name] ?? 0) + dur / 1000 / settings.kernels.calls;
}
const runMs = sum(runsOf(events).map(({ dur }) => dur)) / 1000 / settings.kernels.calls;
print({
  source: kernels.length > 0 ? 'kernels' : 'operators',
  documents: settings.requests.documents,
  /** Milliseconds a call. */
  runMs,
  betweenMs: Math.max(0, runMs - total / 1000 / settings.kernels.calls),
  kinds,
  operatorMs: Object.fromEntries(Object.entries(operatorMs).sort(([, a], [, b]) => b - a)),
});
