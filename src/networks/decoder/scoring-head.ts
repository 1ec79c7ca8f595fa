import { join } from 'node:path';
import { ZrankError } from '../../error.js';
import type { DecoderConfig } from './config.js';
import { readJsonIfPresent } from '../../json.js';
import { readModules } from '../../checkpoint/modules.js';

/**
 * What the score is read from: the logit of one token, the difference of two tokens' logits (log-odds), or the one row
 * of a classifier.
 */
export type ScoringHead =
  | { kind: 'token'; trueTokenId: number }
  | { kind: 'log-odds'; trueTokenId: number; falseTokenId: number }
  | { kind: 'classifier' };

/**
 * Reads the scoring head: for a causal model the LogitScore module of sentence-transformers
 * (sentence_transformers.cross_encoder.modules.logit_score), which modules.json places in 1_LogitScore.
 */
export async function readScoringHead(folder: string, config: DecoderConfig): Promise<ScoringHead> {
  if (config.isClassifier) return { kind: 'classifier' };
  const path = join(folder, await logitScoreFolder(folder), 'config.json');
  const json = await readJsonIfPresent(path);
  if (json === undefined) {
    throw new ZrankError(
      'CONFIG_INVALID',
      `${path} is missing: it names the token whose logit is the score of a causal model`,
    );
  }
  const tokenId = (name: string): number => {
    const value = json[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < config.vocabularySize)
      return value;
    throw new ZrankError(
      'CONFIG_INVALID',
      `${path}: expected a token id below ${config.vocabularySize} for ${name} but received ${JSON.stringify(value)}`,
    );
  };
  const trueTokenId = tokenId('true_token_id');
  if ((json['false_token_id'] ?? null) === null) return { kind: 'token', trueTokenId };
  return { kind: 'log-odds', trueTokenId, falseTokenId: tokenId('false_token_id') };
}

async function logitScoreFolder(folder: string): Promise<string> {
  const modules = await readModules(folder);
  return modules?.find(({ type }) => type === 'LogitScore')?.path ?? '1_LogitScore';
}

/**
 * The default of LoadOptions.temperature: 5 where the logit of one token is the score, as ZeroEntropy publishes it,
 * else 1.
 */
export function defaultTemperature(head: ScoringHead): number {
  return head.kind === 'token' ? 5 : 1;
}
