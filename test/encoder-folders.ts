import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { dataType, OnnxGraphWriter } from '../dist/graph/onnx.js';
import { temporaryFolder } from './support.js';

export type Fixture = 'bi-encoder' | 'cross-encoder' | 'dense' | 'static';

/** A folder of test/fixtures/encoders (made by tools/fixtures/encoders.py). */
export function fixture(name: Fixture): string {
  return fileURLToPath(new URL(`fixtures/encoders/${name}`, import.meta.url));
}

/** What sentence-transformers computes with that folder. */
export async function expectedOf<T>(name: Fixture): Promise<T> {
  return JSON.parse(await readFile(join(fixture(name), 'expected.json'), 'utf8')) as T;
}

/**
 * A copy of a fixture in which files are replaced: by an object as JSON, by text or bytes, by nothing where undefined.
 */
export async function changed(name: Fixture, files: Record<string, object | string | undefined>): Promise<string> {
  const folder = await temporaryFolder();
  await cp(fixture(name), folder, { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    if (content === undefined) await rm(target, { recursive: true });
    else
      await writeFile(
        target,
        typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
      );
  }
  return folder;
}

/**
 * An encoder of one number a token: sqrt(limit - id), which is not a number beyond the limit. `output` names it [B, S,
 * 1]; `sentence_embedding` is its sum over the sequence instead, [B, 1].
 */
export function tinyGraph(output: string, limit = 1000, input = 'input_ids'): Uint8Array {
  const graph = new OnnxGraphWriter();
  graph.input(input, dataType.int64, ['B', 'S']);
  graph.constant('limit', Float32Array.of(limit), []);
  graph.constant('axis', BigInt64Array.of(output === 'sentence_embedding' ? 1n : 2n), [1]);
  graph.node('Cast', [input], ['id'], { to: { int: dataType.float } });
  graph.node('Sub', ['limit', 'id'], ['rest']);
  graph.node('Sqrt', ['rest'], ['root']);
  if (output === 'sentence_embedding') graph.node('ReduceSum', ['root', 'axis'], [output], { keepdims: { int: 1 } });
  else graph.node('Unsqueeze', ['root', 'axis'], [output]);
  graph.output(output, dataType.float, output === 'sentence_embedding' ? ['B', 1] : ['B', 'S', 1]);
  return graph.finish('tiny', { '': 17 });
}

/** A safetensors file of tensors in fp32, or of the type and bytes given. */
export function safetensors(
  tensors: Record<string, { shape: number[]; values?: number[]; dtype?: string; bytes?: Uint8Array }>,
): Uint8Array {
  const header: Record<string, object> = {};
  const data: Uint8Array[] = [];
  let end = 0;
  for (const [name, { shape, dtype = 'F32', values = [], bytes }] of Object.entries(tensors)) {
    const own = bytes ?? new Uint8Array(Float32Array.from(values).buffer);
    header[name] = { dtype, shape, data_offsets: [end, (end += own.length)] };
    data.push(own);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...data]);
}

/** modules.json of these modules, the first in the folder itself. */
export function modules(...types: string[]): object[] {
  return types.map((type, i) => ({
    type: `sentence_transformers.models.${type}`,
    path: i === 0 ? '' : `${i}_${type}`,
  }));
}

/** Rows must be equal within `tolerance`, the largest difference of any number. */
export function expectRows(
  rows: readonly ArrayLike<number>[],
  expected: readonly ArrayLike<number>[],
  tolerance = 1e-5,
): void {
  expect(rows.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  const difference = Math.max(...rows.flatMap((row, i) => Array.from(row, (x, j) => Math.abs(x - expected[i]![j]!))));
  expect(difference).toBeLessThan(tolerance);
}
