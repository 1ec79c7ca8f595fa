import { log } from './output.js';
import { ProgressBar } from './progress.js';

/** Where stderr is no terminal, a line this often. */
const reportIntervalMs = 10_000;

/** How far work on many bytes is, with its rate and the time left: a bar on a terminal, lines elsewhere. */
export class DownloadProgress {
  readonly #label: string;
  readonly #bar: ProgressBar;
  #began: { at: number; completed: number } | undefined;
  #said = 0;

  constructor(label = 'downloading') {
    this.#label = label;
    this.#bar = new ProgressBar(label, (progress) => this.#describe(progress));
  }

  readonly update = (progress: { completed: number; total: number }): void => {
    const now = performance.now();
    this.#began ??= { at: now, completed: progress.completed };
    if (process.stderr.isTTY) {
      this.#bar.update(progress);
      return;
    }
    if (now - this.#said < reportIntervalMs && progress.completed < progress.total) return;
    this.#said = now;
    log(`${this.#label}: ${this.#describe(progress)}`);
  };

  done(): void {
    this.#bar.done();
  }

  /** The rate is the mean since this process began. */
  #describe({ completed, total = completed }: { completed: number; total?: number | undefined }): string {
    const share = `${byteText(completed)} of ${byteText(total)}`;
    const seconds = (performance.now() - this.#began!.at) / 1000;
    const rate = (completed - this.#began!.completed) / seconds;
    if (!(rate > 0) || seconds < 0.5) return share;
    return `${share}, ${byteText(rate)}/s, ${timeText((total - completed) / rate)} left`;
  }
}

export function byteText(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ['GB', 1e9] : bytes >= 1e6 ? ['MB', 1e6] : ['kB', 1e3];
  return `${(bytes / size).toFixed(1)} ${unit}`;
}

function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes === 0) return `${whole} s`;
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
