import { type CallTiming, type Hit, type RankOptions, ZrankError } from '../index.js';
import { type Call, Failure, type FailureKind, type Scored } from './dialect.js';
import type { NamedModel } from './models.js';

/** What the model made of a call. */
export interface Scores {
  /** In the order of the pairs. */
  scores: Scored[];
  tokens: number;
  timing: CallTiming;
}

type Settings = Pick<RankOptions, 'specialTokens' | 'signal' | 'timeoutMs'>;

/** Has a model score the pairs of a call, those of one query together. Throws a Failure. */
export async function scoreCall({ reranker }: NamedModel, call: Call, settings: Settings): Promise<Scores> {
  const scores = new Array<Scored>(call.pairs.length);
  const timing: CallTiming = { tokenizeMs: 0, queueMs: 0, computeMs: 0 };
  let tokens = 0;
  // Where one query's documents fail, the others' are not scored for nothing.
  const others = new AbortController();
  const signal = settings.signal ? AbortSignal.any([settings.signal, others.signal]) : others.signal;
  const { instruction, truncation, maxDocumentTokens } = call;
  const maxLength = call.maxLength && Math.min(call.maxLength, reranker.maxLength);
  const ofQuery = async ([query, indices]: [string, number[]]) => {
    const documents = indices.map((index) => call.pairs[index]![1]);
    const hits: Hit[] = await reranker.rank(query, documents, {
      ...settings,
      signal,
      instruction,
      truncation,
      maxLength,
      maxDocumentTokens: maxDocumentTokens && Math.min(maxDocumentTokens, reranker.maxLength),
      onTiming: (part) => {
        for (const key of ['tokenizeMs', 'queueMs', 'computeMs'] as const)
          timing[key] = Math.max(timing[key], part[key]);
      },
    });
    for (const { index, score, logit, tokens: ofPrompt, truncated } of hits) {
      tokens += ofPrompt;
      scores[indices[index]!] = { index: indices[index]!, score, logit, truncated };
    }
  };
  try {
    await Promise.all([...byQuery(call)].map(ofQuery));
  } catch (error) {
    others.abort();
    throw toFailure(error);
  }
  return { scores, tokens, timing };
}

/** The pairs' indices by their query. */
function byQuery({ pairs }: Call): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  pairs.forEach(([query], i) => {
    const group = groups.get(query);
    if (group === undefined) groups.set(query, [i]);
    else group.push(i);
  });
  return groups;
}

/** Best first; equal scores keep the order of the pairs. By logits, which differ where scores near 1 do not. */
export function ranked(scores: readonly Scored[], topN: number | undefined): Scored[] {
  return [...scores].sort((a, b) => b.logit - a.logit || a.index - b.index).slice(0, topN);
}

const kinds: Readonly<Partial<Record<ZrankError['code'], FailureKind>>> = {
  INVALID_ARGUMENT: 'invalid',
  REQUEST_TOO_LARGE: 'too-many',
  PROMPT_TOO_LONG: 'too-long',
  QUERY_TOO_LONG: 'too-long',
  QUEUE_FULL: 'overloaded',
  ABORTED: 'gone',
  TIMEOUT: 'timeout',
  CLOSED: 'unavailable',
  DEVICE_OUT_OF_MEMORY: 'unavailable',
  OUT_OF_MEMORY: 'unavailable',
  SCORE_NOT_FINITE: 'not-finite',
};

/** What a client is told of an error. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const kind = error instanceof ZrankError ? kinds[error.code] : undefined;
  if (kind === undefined) return new Failure('internal', 'the server failed at this request', { cause: error });
  const { message, retryAfterMs } = error as ZrankError;
  return new Failure(kind, message, { cause: error, retryAfterMs });
}
