import { AwsClient } from 'aws4fetch';
import { ZrankError } from '../error.js';
import type { ObjectStore } from './store.js';

/** As Amazon's tools name them in the environment. */
export interface S3Options {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  /** @default 'us-east-1' */
  region?: string | undefined;
  /** A server of another kind, which gets the bucket in the path. @default Amazon's, of the region */
  endpoint?: string | undefined;
}

/** A server that fails is asked so often, after 0.1, 0.2, 0.4 … seconds. */
const retries = 5;

/** A bucket, or what begins alike in it, of a server that speaks S3: `s3://bucket/prefix`. A PUT there is whole or not at all. */
export class S3Store implements ObjectStore {
  readonly location: string;
  readonly #client: AwsClient;
  readonly #bucketUrl: string;
  readonly #prefix: string;

  /** @throws ZrankError INVALID_ARGUMENT */
  constructor(location: string, options: S3Options) {
    const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]{2,62})(?:\/([\w./-]*?))?\/?$/.exec(location) ?? [];
    if (bucket === undefined)
      throw ZrankError.argument('the store', 's3://bucket/prefix of letters, digits and -_./', location);
    const { region = 'us-east-1', endpoint, accessKeyId, secretAccessKey, sessionToken } = options;
    this.location = location;
    this.#prefix = prefix ? `${prefix}/` : '';
    this.#bucketUrl = endpoint
      ? `${endpoint.replace(/\/+$/, '')}/${bucket}`
      : `https://${bucket}.s3.${region}.amazonaws.com`;
    const session = sessionToken === undefined ? {} : { sessionToken };
    this.#client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      ...session,
      region,
      service: 's3',
      retries,
      initRetryMs: 100,
    });
  }

  async get(key: string): Promise<Buffer | undefined> {
    const response = await this.#ask('FILE_UNREADABLE', `/${this.#prefix}${key}`);
    if (response.status === 404 && !(await response.clone().text()).includes('NoSuchBucket')) return undefined;
    await this.#check('FILE_UNREADABLE', key, response);
    return Buffer.from(await response.arrayBuffer());
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const body = new Uint8Array(bytes);
    const response = await this.#ask('FILE_UNWRITABLE', `/${this.#prefix}${key}`, { method: 'PUT', body });
    await this.#check('FILE_UNWRITABLE', key, response);
  }

  async list(prefix: string): Promise<string[]> {
    const names: string[] = [];
    let page: string | undefined;
    do {
      const query = new URLSearchParams({ 'list-type': '2', prefix: this.#prefix + prefix });
      if (page !== undefined) query.set('continuation-token', page);
      const response = await this.#ask('FILE_UNREADABLE', `/?${query}`);
      await this.#check('FILE_UNREADABLE', prefix, response);
      const text = await response.text();
      // Of names that are made here, nothing is escaped.
      for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) names.push(key!.slice(key!.lastIndexOf('/') + 1));
      page = /<NextContinuationToken>([^<]*)</.exec(text)?.[1];
    } while (page !== undefined);
    return names;
  }

  async #ask(code: 'FILE_UNREADABLE' | 'FILE_UNWRITABLE', path: string, init?: RequestInit): Promise<Response> {
    try {
      return await this.#client.fetch(`${this.#bucketUrl}${path}`, init);
    } catch (cause) {
      const { message, cause: reason } = cause as Error;
      const detail = (reason as Error | undefined)?.message ?? message;
      throw new ZrankError(code, `${this.location} does not answer at ${this.#bucketUrl}: ${detail}`, { cause });
    }
  }

  async #check(code: 'FILE_UNREADABLE' | 'FILE_UNWRITABLE', key: string, response: Response): Promise<void> {
    if (response.ok) return;
    const reason = /<Code>([^<]*)</.exec(await response.text())?.[1] ?? response.statusText;
    throw new ZrankError(code, `${this.location} answers ${response.status} ${reason} for ${key}`);
  }
}
