import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureInvariance } from '../bench/invariance.js';
import type { Location } from '../models/locate.js';
import { packageFolder } from '../package.js';
import type { Reranker } from '../reranker.js';
import { BiEncoder } from '../retrieval/bi-encoder.js';

/** What a self-test found, in words by what was looked at, and what of it is wrong. */
export interface SelfTest {
  found: Record<string, string>;
  failures: string[];
}

/** data/reference-scores: what others measured of a model, in its raw scores. */
interface ReferenceScores {
  /** The hub's name. */
  model: string;
  /** The commit. */
  revision: string;
  source: string;
  /** What bf16 changes, as published. */
  bf16_noise: { max_abs_logit: number };
  pairs: { query: string; document: string; logit_fp32: number }[];
}

const references = ['zerank-2.json'];

/** Batched against alone: fp32 rounds in the seventh digit, and sentence-transformers' bf16 moves a logit by 0.19. */
const invarianceLimits = { fp32: 1e-3, other: 0.2 };
/** Of the published noise of bf16. */
const referenceLimit = 1.5;

const samplePairs: [query: string, document: string][] = [
  [
    'how do I keep bread fresh',
    'Keep bread fresh for days in a paper bag or a bread box, and freeze what is left over.',
  ],
  ['how do I keep bread fresh', 'The parliament debated a new tax on sugar until late in the night.'],
  ['how do I keep bread fresh', 'Bread.'],
  ['What is 2+2?', '2+2 equals four.'],
  ['What is 2+2?', 'Paris is the capital of France, and its largest city.'],
  ['capital of France', 'Paris is the capital of France, and its largest city.'],
  ['capital of France', `A long document about nothing in particular. ${'It goes on and on. '.repeat(20)}`],
  ['capitale de la France', 'Paris ist die Hauptstadt Frankreichs.'],
];

/** Scores pairs alone and together, and those of a model whose scores are published against these. */
export async function testReranker(reranker: Reranker, { id, commit }: Location): Promise<SelfTest> {
  const reference = await referenceOf(id);
  const pairs = reference?.pairs.map(({ query, document }): [string, string] => [query, document]) ?? samplePairs;
  // Scores that are not finite end a call with SCORE_NOT_FINITE.
  const logits = await reranker.predict(pairs);
  const { precision, placement } = reranker;
  const { largestDifference, batchings } = await measureInvariance(reranker, [{ pairs }], 1);
  const limit = precision === 'fp32' ? invarianceLimits.fp32 : invarianceLimits.other;
  const failures: string[] = [];
  if (!(largestDifference <= limit))
    failures.push(`scores in batches differ from those alone by ${number(largestDifference)}`);
  const found = {
    'runs on': `${placement.device} in ${precision}`,
    finite: `${logits.length} of ${pairs.length} scores`,
    batched: `differs from alone by ${number(largestDifference)} at most in ${batchings} batchings (limit ${limit})`,
  };
  if (reference === undefined)
    return { found: { ...found, scores: 'none are published of this model that zrank knows' }, failures };
  const deviation = Math.max(...reference.pairs.map(({ logit_fp32: exact }, i) => Math.abs(logits[i]! - exact)));
  const noise = reference.bf16_noise.max_abs_logit;
  // int8 has an error of its own (docs/performance.md).
  if (precision !== 'int8' && !(deviation <= referenceLimit * noise))
    failures.push(
      `scores differ from the published ones by ${number(deviation)}, over ${referenceLimit} times the noise of bf16`,
    );
  const other = commit === reference.revision ? '' : `; measured at ${reference.revision}, which is another commit`;
  const scores = `differ from those published in fp32 by ${number(deviation)} at most, bf16 itself by ${noise}${other}`;
  return { found: { ...found, scores, source: reference.source }, failures };
}

/** Encodes texts alone and together. */
export async function testBiEncoder(folder: string): Promise<SelfTest> {
  await using encoder = await BiEncoder.load(folder);
  const texts = samplePairs.flat();
  const together = await encoder.encode(texts);
  let largestDifference = 0;
  for (const [i, text] of texts.entries()) {
    const [alone] = await encoder.encode([text]);
    for (const [j, value] of alone!.entries())
      largestDifference = Math.max(largestDifference, Math.abs(value - together[i]![j]!));
  }
  return {
    found: {
      finite: `${texts.length} of ${texts.length} embeddings of ${encoder.dimensions}`,
      batched: `differs from alone by ${number(largestDifference)} at most (limit ${invarianceLimits.fp32})`,
    },
    failures:
      largestDifference <= invarianceLimits.fp32
        ? []
        : [`embeddings in batches differ from those alone by ${number(largestDifference)}`],
  };
}

async function referenceOf(id: string | undefined): Promise<ReferenceScores | undefined> {
  for (const name of references) {
    const text = await readFile(join(packageFolder, 'data/reference-scores', name), 'utf8');
    const reference = JSON.parse(text) as ReferenceScores;
    if (reference.model === id) return reference;
  }
  return undefined;
}

function number(value: number): string {
  return value === 0 ? '0' : value.toPrecision(2);
}
