import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { ZrankError } from '../error.js';
import { isObject, type JsonObject } from '../json.js';
import { packageFolder } from '../package.js';
import type { Contender, Timing } from './contender.js';
import type { RunSettings } from './settings.js';
import type { Call } from './workload.js';

interface Peer {
  /** A file of bench/peers. */
  script: string;
  precision: 'fp32' | 'bf16' | 'fp16' | 'int8';
}

const peers: Readonly<Record<string, Peer>> = {
  'sentence-transformers': { script: 'sentence-transformers.py', precision: 'fp32' },
  'sentence-transformers-bf16': { script: 'sentence-transformers.py', precision: 'bf16' },
  'sentence-transformers-fp16': { script: 'sentence-transformers.py', precision: 'fp16' },
  'onnxruntime-node': { script: 'onnxruntime-node.mjs', precision: 'fp32' },
  'transformers.js': { script: 'transformers-js.mjs', precision: 'fp32' },
  'node-llama-cpp': { script: 'node-llama-cpp.mjs', precision: 'bf16' },
  'node-llama-cpp-fp16': { script: 'node-llama-cpp.mjs', precision: 'fp16' },
  'node-llama-cpp-int8': { script: 'node-llama-cpp.mjs', precision: 'int8' },
};

export const peerNames = Object.keys(peers);

/**
 * A peer in a process of its own (bench/peers). It is given its settings as its one argument, a JSON object, and speaks
 * JSON lines: first `{ready: {component: version}}` or `{unavailable: reason}`, then for each line `{pairs}` on its
 * stdin a line `{seconds, logits}` or `{error}`. It times itself, so the pipe costs it nothing.
 */
export class PeerProcess implements Contender {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  readonly #errors: string[];

  private constructor(name: string, versions: Record<string, string>, connection: Connection) {
    this.name = name;
    this.versions = versions;
    this.#child = connection.child;
    this.#lines = connection.lines;
    this.#reader = connection.reader;
    this.#errors = connection.errors;
  }

  /** Throws PEER_UNAVAILABLE, with the peer's own reason, where it cannot run here. */
  static async open(name: string, { model, device, threads, python }: RunSettings): Promise<PeerProcess> {
    const { script, precision } = peers[name]!;
    const path = join(packageFolder, 'bench/peers', script);
    const connection = connect(script.endsWith('.py') ? python : process.execPath, [
      path,
      JSON.stringify({ model, device, threads, precision, python }),
    ]);
    const first = await nextLine(connection.lines);
    if (isObject(first?.['ready'])) return new PeerProcess(name, first['ready'] as Record<string, string>, connection);
    connection.reader.close();
    connection.child.kill();
    const reason = first?.['unavailable'] ?? lastError(connection.errors);
    throw new ZrankError('PEER_UNAVAILABLE', `${name} cannot run here: ${String(reason)}`);
  }

  /**
   * The peer takes one call after the other, whatever the concurrency: none of these libraries batches across calls.
   */
  async run(calls: readonly Call[]): Promise<Timing> {
    const latencies: number[] = [];
    const logits: number[][] = [];
    for (const { pairs } of calls) {
      this.#child.stdin!.write(`${JSON.stringify({ pairs })}\n`);
      const reply = await nextLine(this.#lines);
      const { seconds, logits: scores } = reply ?? {};
      if (typeof seconds !== 'number' || !Array.isArray(scores) || scores.length !== pairs.length) {
        throw new ZrankError(
          'PEER_FAILED',
          `${this.name} failed: ${String(reply?.['error'] ?? lastError(this.#errors))}`,
        );
      }
      latencies.push(seconds);
      // JSON has no number for what is not finite.
      logits.push(scores.map((score) => (score as number | null) ?? NaN));
    }
    const seconds = latencies.reduce((sum, latency) => sum + latency, 0);
    return { seconds, latencies: queued(latencies), logits };
  }

  async close(): Promise<void> {
    const ended =
      this.#child.exitCode !== null ? undefined : new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await ended;
    this.#reader.close();
  }
}

interface Connection {
  child: ChildProcess;
  lines: AsyncIterator<string>;
  reader: Interface;
  /** The lines of its stderr, the latest last. */
  errors: string[];
}

function connect(command: string, args: string[]): Connection {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const errors: string[] = [];
  // A program that does not exist: the reader ends, and this is the reason.
  child.once('error', (error) => errors.push(error.message));
  // Writing to a peer that has died fails here; its missing reply is what is reported.
  child.stdin.on('error', (error) => errors.push(error.message));
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.trim()) errors.push(line);
    if (errors.length > 20) errors.shift();
  });
  const reader = createInterface({ input: child.stdout });
  return { child, lines: reader[Symbol.asyncIterator](), reader, errors };
}

/**
 * The peer's next JSON object; undefined when it has ended. Lines that are none, a library's chatter, are passed over.
 */
async function nextLine(lines: AsyncIterator<string>): Promise<JsonObject | undefined> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) return undefined;
    if (!value.startsWith('{')) continue;
    return JSON.parse(value) as JsonObject;
  }
}

/** What callers who come all at once wait for: their own call and those before it. */
function queued(latencies: readonly number[]): number[] {
  let sum = 0;
  return latencies.map((latency) => (sum += latency));
}

/** What a dead program said last: Node.js ends with its version, behind the error. */
function lastError(lines: readonly string[]): string {
  return lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? 'it ended without a word';
}
