import { escapeControls } from './output.js';

/** Redraws at most this often. */
const intervalMs = 100;
/** Work shorter than this shows nothing. */
const patienceMs = 500;

interface Progress {
  completed: number;
  total?: number | undefined;
}

/** A progress bar on stderr for work that takes long; nothing where stderr is no terminal. */
export class ProgressBar {
  readonly #label: string;
  readonly #describe: (progress: Progress) => string;
  readonly #started = performance.now();
  #drawn = 0;

  /** @param describe what stands behind the bar */
  constructor(label: string, describe: (progress: Progress) => string = countText) {
    this.#label = escapeControls(label);
    this.#describe = describe;
  }

  readonly update = (progress: Progress): void => {
    const { completed, total } = progress;
    const now = performance.now();
    if (
      !process.stderr.isTTY ||
      now - this.#started < patienceMs ||
      (now - this.#drawn < intervalMs && completed !== total)
    )
      return;
    this.#drawn = now;
    // What was drawn before may have been longer.
    process.stderr.write(
      `\r${this.#label} ${total === undefined ? '' : bar(completed / total)}${this.#describe(progress)}\x1b[K`,
    );
  };

  /** Removes the bar. */
  done(): void {
    if (this.#drawn) process.stderr.write('\r\x1b[2K');
  }
}

function bar(share: number): string {
  const width = 30;
  const filled = Math.round(share * width);
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)} `;
}

function countText({ completed, total }: Progress): string {
  return total === undefined ? `${completed}` : `${completed}/${total}`;
}
