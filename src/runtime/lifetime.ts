import { ZrankError } from '../error.js';

/** The life of something that is closed: calls until then, CLOSED after it. */
export class Lifetime {
  readonly #what: string;
  readonly #end: () => Promise<void>;
  readonly #inFlight = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  /** `what` names the thing in the error; `end` frees it, once no call is in flight. */
  constructor(what: string, end: () => Promise<void>) {
    this.#what = what;
    this.#end = end;
  }

  assertOpen(): void {
    if (this.#closed !== undefined) throw new ZrankError('CLOSED', `this ${this.#what} is closed`);
  }

  /** A call that close() waits for. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.assertOpen();
    const promise = call();
    this.#inFlight.add(promise);
    try {
      return await promise;
    } finally {
      this.#inFlight.delete(promise);
    }
  }

  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#inFlight).then(this.#end);
    return this.#closed;
  }
}
