import type { HubName } from './model-name.js';

/** What zrank knows of a model by a name of its own. */
export interface KnownModel {
  id: string;
  /** The commit that the short name stands for; `main` where none is pinned. */
  commit?: string;
  /** As its card names it; undefined where it is not known. */
  licence?: string;
  /** How a pair becomes a prompt. */
  prompt: string;
  /** The network, and what is known of its size. */
  network: string;
  /** Sums of its files at `commit`, where they are published. */
  sha256?: Readonly<Record<string, string>>;
}

const zerank = 'the query as system message, the document as user message; the logit of Yes';
const qwen = "Qwen3-Reranker's: a fixed system message, then instruction, query and document; yes against no";

/**
 * Models by short name. A commit stands here only where one is published with what was measured of it: zerank-2's is
 * that of data/reference-scores/zerank-2.json. Its weights were under CC-BY-NC until 2026-07-24; `zrank pull` reads the
 * licence from the card that it fetches and says so where it is another one than here.
 */
export const knownModels: Readonly<Record<string, KnownModel>> = {
  'zerank-2': {
    id: 'zeroentropy/zerank-2-reranker',
    commit: '5eae30d5ee3c6b2df2ef6d723bde45172d761c4c',
    licence: 'apache-2.0',
    prompt: zerank,
    network: 'Qwen3, 4.0 B parameters, 8.1 GB in bf16',
    sha256: { 'tokenizer.json': 'aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4' },
  },
  'zerank-1': {
    id: 'zeroentropy/zerank-1',
    prompt: zerank,
    network: 'Qwen3',
  },
  'zerank-1-small': {
    id: 'zeroentropy/zerank-1-small',
    prompt: zerank,
    network: 'Qwen3',
  },
  'qwen3-reranker-0.6b': {
    id: 'Qwen/Qwen3-Reranker-0.6B',
    licence: 'apache-2.0',
    prompt: qwen,
    network: 'Qwen3, 0.6 B parameters',
  },
  'qwen3-reranker-4b': {
    id: 'Qwen/Qwen3-Reranker-4B',
    licence: 'apache-2.0',
    prompt: qwen,
    network: 'Qwen3, 4 B parameters',
  },
  'qwen3-reranker-8b': {
    id: 'Qwen/Qwen3-Reranker-8B',
    licence: 'apache-2.0',
    prompt: qwen,
    network: 'Qwen3, 8 B parameters',
  },
};

/** The model of a short name, perhaps with `@revision`; undefined where the table has none. */
export function byShortName(text: string): HubName | undefined {
  const [name, revision] = text.split(/@(.*)/s) as [string, string?];
  const known = Object.hasOwn(knownModels, name) ? knownModels[name] : undefined;
  return known && { id: known.id, revision: revision ?? known.commit };
}

/** What the table says of a model at a revision: nothing of sums where it is another than the one pinned. */
export function knownOf(id: string, commit: string): Omit<KnownModel, 'commit'> | undefined {
  const known = Object.values(knownModels).find((model) => model.id === id);
  if (known === undefined || known.commit === commit) return known;
  const { sha256: _, ...rest } = known;
  return rest;
}
