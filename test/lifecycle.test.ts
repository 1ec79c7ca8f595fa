// Ends of processes and threads, each in a child process with a deadline. What they guard against: a promise that keeps
// the process alive for ever, a thread-safe function called after its thread has gone, an engine freed under a run, and
// Node waiting at exit for a worker that sits in a long run.

import { describe, expect, test } from 'vitest';
import { runScript, tinyModel } from './support.js';

const prelude = `
  import { Reranker } from 'zrank';
  import { Worker, isMainThread, parentPort } from 'node:worker_threads';
  const folder = ${JSON.stringify(tinyModel)};
  const long = Array.from({ length: 6000 }, (_, i) => 'bread and butter '.repeat(60) + i);
  const worker = (body) => new Worker(new URL('data:text/javascript,' + encodeURIComponent(\`
    import { parentPort } from 'node:worker_threads';
    const { Reranker } = await import(\${JSON.stringify(import.meta.resolve('zrank'))});
    const folder = ${JSON.stringify(tinyModel)};
    const long = Array.from({ length: 6000 }, (_, i) => 'bread and butter '.repeat(60) + i);
    \${body}\`)));
`;

const scripts: [what: string, body: string, expected: { code: number; stdout: string }][] = [
  [
    'an idle reranker does not keep the process alive',
    `await Reranker.load(folder); console.log('loaded');`,
    { code: 0, stdout: 'loaded\n' },
  ],
  [
    'a call in flight does',
    `const r = await Reranker.load(folder); r.rank('bread', ['a', 'b']).then((hits) => console.log(hits.length));`,
    { code: 0, stdout: '2\n' },
  ],
  [
    'process.exit() with work in flight',
    `const r = await Reranker.load(folder);
     r.rank('bread', long, { onProgress: () => { console.log('exit'); process.exit(7); } });`,
    { code: 7, stdout: 'exit\n' },
  ],
  [
    'process.exit() while loading',
    `Reranker.load(folder); setImmediate(() => process.exit(3));`,
    { code: 3, stdout: '' },
  ],
  [
    'an uncaught exception with work in flight',
    `const r = await Reranker.load(folder);
     r.rank('bread', long, { onProgress: () => setImmediate(() => { throw new Error('x'); }) });`,
    { code: 1, stdout: '' },
  ],
  [
    'close() during work waits for it',
    `const r = await Reranker.load(folder);
     const call = r.rank('bread', long.slice(0, 200)).then((hits) => console.log('ranked', hits.length));
     await r.close(); console.log('closed'); await call;`,
    { code: 0, stdout: 'ranked 200\nclosed\n' },
  ],
  [
    'an abort during work, then close()',
    `const r = await Reranker.load(folder); const c = new AbortController();
     const call = r.rank('bread', long, { signal: c.signal, onProgress: () => c.abort() });
     await call.catch((e) => console.log(e.code)); await r.close(); console.log('closed');`,
    { code: 0, stdout: 'ABORTED\nclosed\n' },
  ],
  [
    'a progress callback that throws ends its own call with what it threw',
    `const r = await Reranker.load(folder);
     const onProgress = ({ completed, total }) => { if (completed < total) throw new Error('mine'); };
     const bad = r.rank('bread', long.slice(0, 300), { onProgress }).catch((error) => error.message);
     const good = r.rank('bread', long.slice(0, 3)).then((hits) => hits.length);
     console.log(await bad, await good); await r.close();`,
    { code: 0, stdout: 'mine 3\n' },
  ],
  [
    'a CPU worker that fails fails its call, and the process still ends',
    `const { Piscina } = await import('piscina');
     const r = await Reranker.load(folder); await r.rank('bread', ['a']);
     const run = Piscina.prototype.run; Piscina.prototype.run = () => Promise.reject(new Error('worker gone'));
     console.log(await r.rank('bread', ['b']).catch((e) => e.code));
     Piscina.prototype.run = run;
     console.log((await r.rank('bread', ['c'])).length);`,
    { code: 0, stdout: 'INTERNAL\n1\n' },
  ],
  [
    'several worker threads share the model',
    `const one = () => new Promise((resolve, reject) => worker(\`
       const r = await Reranker.load(folder);
       const hits = await r.rank('bread', ['bread', 'paint', 'tax']);
       parentPort.postMessage(hits.map((h) => h.index).join()); await r.close();\`)
       .on('message', resolve).on('error', reject));
     const r = await Reranker.load(folder);
     const own = (await r.rank('bread', ['bread', 'paint', 'tax'])).map((h) => h.index).join();
     const all = await Promise.all([one(), one(), one()]);
     console.log(all.every((order) => order === own), r.counters().sequences); await r.close();`,
    { code: 0, stdout: 'true 12\n' },
  ],
  [
    'a worker thread terminated with work in flight leaves the others at work',
    `const r = await Reranker.load(folder);
     const w = worker(\`const r = await Reranker.load(folder); parentPort.postMessage('on');
       r.rank('bread', long).catch(() => {});\`);
     await new Promise((resolve) => w.once('message', resolve));
     await new Promise((resolve) => setTimeout(resolve, 100));
     const started = performance.now();
     await w.terminate();
     // Its queue would take longer by far: a thread stops between two batches.
     console.log(performance.now() - started < 5000);
     console.log((await r.rank('bread', long.slice(0, 50))).length); await r.close();`,
    { code: 0, stdout: 'true\n50\n' },
  ],
  [
    'worker threads terminated while their rerankers start',
    `for (let i = 0; i < 24; i++) {
       const w = worker(\`const r = await Reranker.load(folder, { workers: 2, threads: 2 }); parentPort.postMessage('on');
         r.rank('bread', long.slice(0, 50)).catch(() => {});\`);
       await new Promise((resolve) => { w.once('message', resolve); setTimeout(resolve, 60 + 12 * i); });
       await new Promise((resolve) => setTimeout(resolve, i % 5));
       await w.terminate();
     }
     console.log('done');`,
    { code: 0, stdout: 'done\n' },
  ],
  [
    'a worker thread that calls process.exit() with work in flight',
    `const w = worker(\`const r = await Reranker.load(folder);
       r.rank('bread', long, { onProgress: () => process.exit(0) });\`);
     w.on('exit', (code) => console.log('exit', code));`,
    { code: 0, stdout: 'exit 0\n' },
  ],
  [
    'load and close over and over',
    `for (let i = 0; i < 20; i++) {
       const r = await Reranker.load(folder);
       if (i % 2) await r.rank('bread', ['a']);
       await r.close();
     }
     console.log('done');`,
    { code: 0, stdout: 'done\n' },
  ],
  // A kernel that kept its allocator kept the arena of its closed session, 4.5 MB a time.
  [
    'a model that is closed leaves no memory behind',
    `import { setFlagsFromString } from 'node:v8';
     setFlagsFromString('--expose-gc');
     const { runInNewContext } = await import('node:vm');
     const gc = runInNewContext('gc');
     const cycles = async (count) => {
       for (let i = 0; i < count; i++) {
         const r = await Reranker.load(folder, { device: 'cpu', threads: 1 });
         await r.rank('bread', long.slice(0, 20));
         await r.close();
         gc();
       }
       return process.memoryUsage.rss() / 1e6;
     };
     const before = await cycles(15);
     const grown = (await cycles(40)) - before;
     console.log(grown < 60 ? 'flat' : 'grown by ' + grown + ' MB');`,
    { code: 0, stdout: 'flat\n' },
  ],
  [
    'rerankers that are only dropped',
    `for (let i = 0; i < 5; i++) await (await Reranker.load(folder, { workers: 1, threads: 1 })).rank('bread', ['a']);
     globalThis.gc?.(); console.log('done');`,
    { code: 0, stdout: 'done\n' },
  ],
];

describe('in a process of its own', () => {
  test.each(scripts)('%s', async (_, body, expected) => {
    const result = await runScript(prelude + body, { deadlineMs: 50_000 });
    expect(result.timedOut, result.stderr).toBe(false);
    expect(result.signal, result.stderr).toBeNull();
    expect({ code: result.code, stdout: result.stdout }, result.stderr).toEqual(expected);
  });
});
