import { parseMeasures } from '../evaluation/measures.js';
import type { Option } from './command.js';

export const measuresOption = {
  value: 'list',
  list: true,
  // A number belongs to the name before it, as in ndcg_cut.5,10.
  separator: /,(?!\s*[\d.]+\s*(?:,|$))/,
  parse: (text: string): string[] => parseMeasures(text).map(({ name }) => name),
} satisfies Option;
