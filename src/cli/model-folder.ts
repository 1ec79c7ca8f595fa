import { fileURLToPath } from 'node:url';

const embedded = fileURLToPath(new URL('../../models/zrank-tiny', import.meta.url));

/**
 * The model that a command uses: the option, else ZRANK_MODEL, else the embedded one, which a line on stderr says.
 *
 * @param flag the option's name
 */
export function modelFolder(option: string | undefined, flag = '--model'): string {
  const given = option ?? process.env['ZRANK_MODEL'];
  if (given) return given;
  process.stderr.write(
    `zrank: using the embedded demonstration model zrank-tiny; ${flag} FOLDER or ZRANK_MODEL names a real one\n`,
  );
  return embedded;
}
