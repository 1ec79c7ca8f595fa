import { ZrankError } from '../error.js';

/** The life of something that is closed: calls until then, CLOSED after it. */
export class Lifetime {
  readonly #what: string;
  readonly #end: () => Promise<void>;
  readonly #inFlight = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;
  #draining = false;

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
    if (this.#draining) throw new ZrankError('CLOSED', `this ${this.#what} takes no more calls`);
    const promise = call();
    this.#inFlight.add(promise);
    try {
      return await promise;
    } finally {
      this.#inFlight.delete(promise);
    }
  }

  /** Refuses calls from now on with CLOSED; resolves when those in flight have ended. */
  async drain(): Promise<void> {
    this.#draining = true;
    await Promise.allSettled(this.#inFlight);
  }

  close(): Promise<void> {
    this.#closed ??= this.drain().then(this.#end);
    return this.#closed;
  }
}
