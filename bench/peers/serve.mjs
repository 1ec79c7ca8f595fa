import { createInterface } from 'node:readline';

/** What zrank bench gives a peer: the model folder, the device, the number of threads and the precision. */
export const settings = JSON.parse(process.argv[2]);

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Says why this peer cannot run here, and ends. */
export function unavailable(reason) {
  say({ unavailable: reason });
  process.exit(0);
}

/** A package, or the end of this peer where it is not installed. */
export async function need(name) {
  try {
    return await import(name);
  } catch (error) {
    return unavailable(
      `the package ${name} cannot be loaded (${error.message.split('\n')[0]}); npm install --no-save ${name}`,
    );
  }
}

/**
 * Answers each line {pairs} with {seconds, logits}; `score` takes pairs [query, document] and gives a number for each.
 */
export async function serve(versions, score) {
  say({ ready: versions });
  for await (const line of createInterface({ input: process.stdin })) {
    const { pairs } = JSON.parse(line);
    try {
      const start = performance.now();
      const logits = await score(pairs);
      say({ seconds: (performance.now() - start) / 1000, logits });
    } catch (error) {
      say({ error: error.message });
    }
  }
}
