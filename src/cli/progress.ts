import { escapeControls } from './output.js';

/** Redraws at most this often. */
const intervalMs = 100;
/** Work shorter than this shows nothing. */
const patienceMs = 500;

/** A progress bar on stderr for work that takes long; nothing where stderr is no terminal. */
export class ProgressBar {
  readonly #label: string;
  readonly #started = performance.now();
  #drawn = 0;

  constructor(label: string) {
    this.#label = escapeControls(label);
  }

  readonly update = ({ completed, total }: { completed: number; total?: number | undefined }): void => {
    const now = performance.now();
    if (
      !process.stderr.isTTY ||
      now - this.#started < patienceMs ||
      (now - this.#drawn < intervalMs && completed !== total)
    )
      return;
    this.#drawn = now;
    if (total === undefined) {
      process.stderr.write(`\r${this.#label} ${completed}`);
      return;
    }
    const width = 30;
    const filled = Math.round((completed / total) * width);
    process.stderr.write(`\r${this.#label} ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${completed}/${total}`);
  };

  /** Removes the bar. */
  done(): void {
    if (this.#drawn) process.stderr.write('\r\x1b[2K');
  }
}
