import { poolingModes, type Pooling } from '../../addon.js';
import type { ConfigReader } from '../../checkpoint/config-reader.js';

/** The booleans that stood in config.json before `pooling_mode` did, in the order in which their results are joined. */
const booleans: readonly (readonly [name: string, mode: Pooling])[] = [
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
];

/** The modes of a Pooling module's config.json. Throws CONFIG_INVALID for a mode that does not exist. */
export function parsePooling(config: ConfigReader): Pooling[] {
  const given = config.get('pooling_mode');
  if (given === undefined) {
    const modes = booleans.filter(([name]) => config.boolean(name, false)).map(([, mode]) => mode);
    return modes.length ? modes : ['mean'];
  }
  const modes: unknown[] = Array.isArray(given) ? given : [given];
  const unknown = modes.length === 0 ? given : modes.find((mode) => !poolingModes.includes(mode as Pooling));
  if (unknown === undefined) return modes as Pooling[];
  throw config.invalid(`${poolingModes.join(', ')} or several of them`, 'pooling_mode', unknown);
}
