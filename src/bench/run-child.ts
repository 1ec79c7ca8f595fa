import { run } from './run.js';
import type { RunMessage, RunOrder } from './run-process.js';

/** The process of one run: takes its order from the process that forked it, reports and ends. */
process.once('message', async (order) => {
  const { settings, secrets } = order as RunOrder;
  // Nobody waits for the result any more.
  const abandoned = () => process.exit(1);
  process.once('disconnect', abandoned);
  const say = (message: RunMessage) => process.send!(message);
  try {
    say({ report: await run(settings, secrets, (message) => say({ log: message })) });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    say({ error: { code, message } });
  }
  process.off('disconnect', abandoned);
  process.disconnect();
});
