import { basename } from 'node:path';
import { Reranker } from '../index.js';
import { embeddedModels } from '../package.js';
import { Failure } from './dialect.js';
import type { ServerOptions } from './options.js';
import { selfTest } from './self-test.js';

/** A model under the name that clients know it by. */
export interface NamedModel {
  name: string;
  reranker: Reranker;
}

/** The models of a server, in their order. */
export class Models {
  readonly #models: readonly NamedModel[];
  readonly #anyModel: boolean;
  /** Those that were loaded here. */
  readonly #owned: readonly Reranker[];

  private constructor(models: readonly NamedModel[], owned: readonly Reranker[], anyModel: boolean) {
    this.#models = models;
    this.#owned = owned;
    this.#anyModel = anyModel;
  }

  /** Loads them, one after the other, and has each pass the self-test. */
  static async open({ reranker, models, load, anyModel = false }: ServerOptions): Promise<Models> {
    const given = Object.entries(models ?? {});
    if (reranker !== undefined || given.length === 0) {
      const model = reranker ?? embeddedModels.reranker;
      given.unshift([typeof model === 'string' ? basename(model).replace(/@.*/, '') : 'default', model]);
    }
    const opened: NamedModel[] = [];
    const owned: Reranker[] = [];
    try {
      for (const [name, model] of given) {
        const loaded = typeof model === 'string' ? await Reranker.load(model, load) : model;
        if (typeof model === 'string') owned.push(loaded);
        await selfTest(name, loaded);
        opened.push({ name, reranker: loaded });
      }
    } catch (error) {
      await Promise.all(owned.map((loaded) => loaded.close()));
      throw error;
    }
    return new Models(opened, owned, anyModel);
  }

  get all(): readonly NamedModel[] {
    return this.#models;
  }

  get first(): NamedModel {
    return this.#models[0]!;
  }

  /** Throws a Failure where there is no model of that name. */
  named(name: string | undefined): NamedModel {
    if (name === undefined) return this.first;
    const found = this.#models.find((model) => model.name === name) ?? (this.#anyModel ? this.first : undefined);
    if (found === undefined) {
      const names = this.#models.map((model) => model.name).join(', ');
      throw new Failure('unknown-model', `there is no such model here; the models are ${names}`);
    }
    return found;
  }

  async close(): Promise<void> {
    await Promise.all(this.#owned.map((reranker) => reranker.close()));
  }
}
