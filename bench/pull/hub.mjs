import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const zrank = fileURLToPath(new URL('../../dist/cli/zrank.js', import.meta.url));

/** The tests' hub (test/hub/serve.ts) in a process of its own, with a model of so many bytes of random weights. */
export async function startHub(bytes) {
  const child = fork(`${root}test/hub/serve.ts`, [String(bytes)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [line] = await once(child.stdout, 'data');
  return {
    endpoint: line.toString().trim(),
    /** Sets what goes wrong, and says how many bytes of files were sent since the last time. */
    async tell(misbehaviour) {
      child.send(misbehaviour);
      const [sent] = await once(child, 'message');
      return sent;
    },
    stop: () => child.kill(),
  };
}
