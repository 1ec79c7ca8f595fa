// What C++ and TypeScript must agree on though no compiler sees both: names and sizes of native/core/contract.h against
// those of src, and what native code makes of words and arguments that are none.

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { errorCodes } from 'zrank';
import { readCheckpoint } from '../dist/networks/decoder/checkpoint.js';
import { int8Block } from '../dist/checkpoint/quantize-weights.js';
import { kernelHeadDim, pagedBlockSize } from '../dist/graph/attention.js';
import type { GraphForm } from '../dist/graph/operators.js';
import { paddedLengths } from '../dist/graph/rotary.js';
import { cpuPrecisions, deviceKinds, poolingModes, type NativeModel } from '../dist/addon.js';
import { openAddon } from '../dist/libraries/open-addon.js';
import { writeGraph } from '../dist/networks/decoder/graph.js';
import { golden, runScript } from './support.js';

const addon = openAddon();
const contract = addon.contract();

describe('names', () => {
  test('of devices, models, arithmetics and poolings', () => {
    const models: Record<NativeModel['kind'], true> = { 'packed-decoder': true, 'padded-encoder': true };
    expect(contract).toMatchObject({
      devices: deviceKinds,
      models: Object.keys(models),
      arithmetics: cpuPrecisions,
      poolings: poolingModes,
    });
  });

  test('of errors: every native code is one of the list', () => {
    expect(contract.errorCodes.length).toBeGreaterThan(5);
    expect(contract.errorCodes.filter((code) => !(errorCodes as readonly string[]).includes(code))).toEqual([]);
  });

  test.each(['grouped', 'plain', 'paged', 'tiled'] as const)(
    'of the graph’s inputs and output, with %s attention',
    async (attention) => {
      const graph = await write({ compute: 'fp32', attention, positions: 64 });
      const { inputs, pagedInputs: paged, tiledInputs: tiled, output } = contract.graph;
      const expected = { paged, tiled, grouped: inputs, plain: inputs }[attention];
      expect(graph.inputs.sort()).toEqual(expected.sort());
      expect(graph.outputs).toEqual([output]);
    },
  );

  test('of our own operators and their attributes', async () => {
    const graph = await write({ compute: 'fp32', attention: 'grouped', kernels: 'fp32' });
    const own = graph.nodes.filter(({ domain }) => domain === contract.operators.domain);
    const distinct = (names: string[]) => [...new Set(names)].sort();
    expect(distinct(own.map(({ op }) => op))).toEqual(contract.operators.names.sort());
    expect(distinct(own.flatMap(({ attributes }) => attributes))).toEqual(contract.operators.attributes.sort());

    const cuda = await write({
      compute: 'fp16',
      attention: 'tiled',
      fusesGatedUnits: true,
      tunesProducts: true,
      positions: 64,
    });
    const nodes = cuda.nodes.filter(({ domain }) => domain === contract.operators.domain);
    expect(distinct(nodes.map(({ op }) => op))).toEqual(contract.operators.cudaNames.sort());
    expect(distinct(nodes.flatMap(({ attributes }) => attributes))).toEqual(contract.operators.cudaAttributes.sort());
  });
});

test('sizes', () => {
  expect(contract.sizes).toEqual({
    int8Block,
    headDimMultiple: kernelHeadDim,
    pagedBlock: pagedBlockSize,
    minPaddedLength: paddedLengths.least,
    paddedLengthSteps: paddedLengths.steps,
  });
});

describe('an unknown word is INTERNAL', () => {
  const decoder = {
    kind: 'packed-decoder',
    graph: new Uint8Array(),
    weightFolder: '',
    prepack: false,
    device: 'cpu',
    deviceIndex: 0,
  };
  const encoder = { kind: 'padded-encoder', graphPath: '', pooling: ['mean'], normalize: false, padId: 0 };
  test.each([
    ['kind of model', { ...decoder, kind: 'unpacked-decoder' }, 'unpacked-decoder'],
    ['device', { ...decoder, device: 'npu' }, 'npu'],
    ['pooling', { ...encoder, pooling: ['mean', 'median'] }, 'median'],
  ])('%s', (what, model, word) => {
    const options = {
      key: 'k',
      replicas: [model as NativeModel],
      onGpus: false,
      workers: 1,
      hasTeam: false,
      intraOpThreads: 1,
      fallbackThreads: 1,
    };
    const error = { code: 'INTERNAL', message: `there is no ${what} "${word}"` };
    expect(() => addon.openEngine(options)).toThrow(expect.objectContaining(error));
    const fallback = { ...options, replicas: [decoder as NativeModel], fallback: model as NativeModel };
    expect(() => addon.openEngine(fallback)).toThrow(expect.objectContaining(error));
  });

  test('device of a check', () => {
    const check = () => addon.checkDevice('npu' as 'cuda', 0);
    expect(check).toThrow(expect.objectContaining({ code: 'INTERNAL', message: 'there is no device "npu"' }));
  });
});

// In a process of its own: an exception that nothing catches would end it.
test('every function and method that is called wrongly throws an error with a code', async () => {
  const { code, stdout, stderr } = await runScript(`
    const { openAddon } = await import('./dist/libraries/open-addon.js');
    const { writeGraph } = await import('./dist/networks/decoder/graph.js');
    const { readCheckpoint } = await import('./dist/networks/decoder/checkpoint.js');
    const addon = openAddon();
    const { model: graph, weightFolder, prepack } = writeGraph(await readCheckpoint(${JSON.stringify(golden('causal-bf16').folder)}));
    const replicas = [{ kind: 'packed-decoder', graph, weightFolder, prepack, device: 'cpu', deviceIndex: 0 }];
    const options = { key: 'k', replicas, onGpus: false, workers: 1, hasTeam: false, intraOpThreads: 1, fallbackThreads: 1 };
    const engine = await addon.openEngine(options);
    const outcomes = {};
    const attempt = (name, call) => {
      try { call(); outcomes[name] = 'returns'; } catch (error) { outcomes[name] = error.code ?? error.message; }
    };
    for (const [name, call] of Object.entries(addon)) attempt(name, () => call(Symbol()));
    attempt('replicas without end', () => addon.openEngine({ ...options, replicas: new Array(2 ** 32 - 1) }));
    attempt('run', () => engine.run());
    attempt('counters of another', () => engine.counters.call({}));
    await engine.close();
    attempt('closed id', () => engine.id);
    for (const name of ['counters', 'run', 'close']) attempt('closed ' + name, () => engine[name]({}));
    attempt('constructor', () => new engine.constructor());
    console.log(JSON.stringify(outcomes));
  `);
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    openRuntime: 'INTERNAL',
    runtime: 'returns',
    setProviderFolder: 'INTERNAL',
    loadedLibrary: 'INTERNAL',
    openLibrary: 'INTERNAL',
    kernels: 'returns',
    checkDevice: 'INTERNAL',
    cudaDevices: expect.stringMatching(/^(returns|DEVICE_UNAVAILABLE)$/),
    cudaDriverVersion: expect.stringMatching(/^(returns|DEVICE_UNAVAILABLE)$/),
    openEngine: 'INTERNAL',
    drain: 'INTERNAL',
    append: 'INTERNAL',
    cancel: 'INTERNAL',
    abandon: 'INTERNAL',
    contract: 'returns',
    'replicas without end': 'INTERNAL',
    run: 'INTERNAL',
    'counters of another': expect.any(String),
    'closed id': 'CLOSED',
    'closed counters': 'CLOSED',
    'closed run': 'CLOSED',
    'closed close': 'CLOSED',
    constructor: expect.any(String),
  });
});

interface Node {
  op: string;
  domain: string;
  attributes: string[];
}

/** Names in the graph of a small checkpoint. */
async function write(options: GraphForm): Promise<{ inputs: string[]; outputs: string[]; nodes: Node[] }> {
  const { model } = writeGraph(await readCheckpoint(golden('causal-bf16').folder), options);
  const graph = messages(model, 7)[0]!;
  const names = (field: number) => messages(graph, field).map((info) => text(info, 1));
  const nodes = messages(graph, 1).map((node) => ({
    op: text(node, 4),
    domain: text(node, 7),
    attributes: messages(node, 5).map((attribute) => text(attribute, 1)),
  }));
  return { inputs: names(11), outputs: names(12), nodes };
}

/** The embedded messages of one field (onnx.proto). */
function messages(bytes: Uint8Array, field: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === field) found.push(reader.bytes());
    else reader.skip(type);
  }
  return found;
}

const text = (bytes: Uint8Array, field: number) => new TextDecoder().decode(messages(bytes, field)[0]);
