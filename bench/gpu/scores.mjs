// Step: zrank's logits of the parity pairs, in each precision and form of attention.
import { loadReranker, print, resultOf, settings } from './state.mjs';

const { pairs } = resultOf('texts');
const { precisions, attentions } = settings;
const variants = new Map([
  ...precisions.map((precision) => [precision, { precision }]),
  ...attentions.slice(1).map((attention) => [`${precisions[0]} ${attention}`, { precision: precisions[0], attention }]),
]);
const results = {};
for (const [name, { precision, attention }] of variants) {
  try {
    results[name] = await score(precision, attention && { attention });
  } catch (error) {
    console.error(`${name}: error: ${error.message}`);
    process.exitCode = 1;
  }
}
print(results);

async function score(precision, options) {
  const start = performance.now();
  const onLoadProgress = ({ completed, total }) =>
    completed === total && console.error(`${precision}: ${total} bytes converted`);
  const reranker = await loadReranker(precision, { ...options, onLoadProgress });
  const loadSeconds = (performance.now() - start) / 1000;
  const logits = [...(await reranker.predict(pairs))];
  const result = { logits, placement: reranker.placement, counters: reranker.counters(), loadSeconds };
  await reranker.close();
  return result;
}
