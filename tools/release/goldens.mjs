/** Scores the shortest cases of each golden with the zrank that is installed: node goldens.mjs FOLDER */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Reranker } from 'zrank';

/** Of a processor that is emulated little can be asked. */
const most = 6;
const tolerance = 2e-4;

const [folder] = process.argv.slice(2);
for (const name of readdirSync(folder).filter((entry) => existsSync(join(folder, entry, 'expected.json')))) {
  const { cases } = JSON.parse(readFileSync(join(folder, name, 'expected.json'), 'utf8'));
  const shortest = cases.sort((a, b) => a.token_ids.length - b.token_ids.length).slice(0, most);
  const reranker = await Reranker.load(join(folder, name), { precision: 'fp32' });
  const logits = await reranker.predict(shortest.map(({ prompt }) => prompt));
  await reranker.close();
  const difference = Math.max(...shortest.map(({ logit_fp32 }, i) => Math.abs(logit_fp32 - logits[i])));
  console.log(
    `${process.platform}-${process.arch}, ${name}: ${shortest.length} logits within ${difference.toExponential(1)}`,
  );
  if (!(difference < tolerance)) process.exitCode = 1;
}
