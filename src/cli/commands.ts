import type { Command } from './command.js';

/** A command is a file in commands/ and a row here, which is all of it that the others load; or it has commands itself. */
export type CommandRow = { summary: string } & (
  | { load: () => Promise<{ command: Command }> }
  | { commands: Readonly<Record<string, CommandRow>> }
);

/** In the order of the help. */
export const commands: Readonly<Record<string, CommandRow>> = {
  rank: {
    summary: 'rank documents by how well they answer a query',
    load: () => import('./commands/rank.js'),
  },
  search: {
    summary: 'retrieve and rerank from a folder of texts or a .jsonl',
    load: () => import('./commands/search.js'),
  },
  serve: {
    summary: 'answer the clients of reranking servers and services over HTTP',
    load: () => import('./commands/serve.js'),
  },
  eval: {
    summary: 'compare labelled datasets before and after reranking',
    load: () => import('./commands/eval.js'),
  },
  bulk: {
    summary: 'rank many queries on many machines, through a queue in Redis',
    commands: {
      submit: {
        summary: 'cut queries and their candidates into shards and queue them',
        load: () => import('./commands/bulk/submit.js'),
      },
      work: {
        summary: 'compute shards, on any number of machines',
        load: () => import('./commands/bulk/work.js'),
      },
      status: {
        summary: 'say how far a job is, how fast, and what was set aside',
        load: () => import('./commands/bulk/status.js'),
      },
      collect: {
        summary: 'check the results of a job and write them as one file',
        load: () => import('./commands/bulk/collect.js'),
      },
      pause: {
        summary: 'give the workers of a queue no more shards',
        load: () => import('./commands/bulk/pause.js'),
      },
      resume: {
        summary: 'go on after a pause',
        load: () => import('./commands/bulk/resume.js'),
      },
    },
  },
  measure: {
    summary: 'measure a run against relevance judgements, as trec_eval does',
    load: () => import('./commands/measure.js'),
  },
  inspect: {
    summary: 'say what a model folder holds and how it would run',
    load: () => import('./commands/inspect.js'),
  },
  doctor: {
    summary: 'say what zrank finds on this machine and how to fix the rest',
    load: () => import('./commands/doctor.js'),
  },
  pull: {
    summary: "download a model of the hub into Hugging Face's cache",
    load: () => import('./commands/pull.js'),
  },
  models: {
    summary: 'list the models in that cache and what would run them',
    load: () => import('./commands/models.js'),
  },
  verify: {
    summary: "check a model's files and scores",
    load: () => import('./commands/verify.js'),
  },
  rm: {
    summary: 'take a model out of that cache',
    load: () => import('./commands/rm.js'),
  },
  build: {
    summary: 'build the native addon from source',
    load: () => import('./commands/build.js'),
  },
  bench: {
    summary: 'measure throughput and latency on generated texts',
    load: () => import('./commands/bench.js'),
  },
};
