import { ZrankError } from '../../error.js';
import { describeName, type HubName } from '../model-name.js';

/** A failure that may pass: the connection, or a server that asks to come again. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
  /** As the server asks, in ms. */
  readonly retryAfterMs: number | undefined;
  /** Whether nobody answered at all. */
  readonly isUnreachable: boolean;

  constructor(
    message: string,
    {
      cause,
      retryAfterMs,
      isUnreachable = false,
    }: { cause?: unknown; retryAfterMs?: number | undefined; isUnreachable?: boolean } = {},
  ) {
    super(message, { cause });
    this.retryAfterMs = retryAfterMs;
    this.isUnreachable = isUnreachable;
  }
}

/** What a reply says, as far as its failure is told from it. */
export interface FailedReply {
  url: string;
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The beginning of its body. */
  text: string;
}

/** The error for a status that is not one of success, by the hub's own codes (huggingface_hub, hf_raise_for_status). */
export function replyError(model: HubName, reply: FailedReply, hasToken: boolean): ZrankError | TransientError {
  const { url, status, headers, text } = reply;
  const code = String(headers['x-error-code'] ?? '');
  const said = excerptOf(String(headers['x-error-message'] ?? '') || messageOf(text));
  const where = `${url} answered ${status}${said && `: ${said}`}`;
  const logIn = 'HF_TOKEN, or the file that "hf auth login" writes, tells the hub who you are';
  if (status === 408 || status === 429 || status >= 500)
    return new TransientError(where, { retryAfterMs: retryAfter(headers['retry-after']) });
  if (isPage(headers['content-type'], text))
    return new ZrankError(
      'HUB_RESPONSE_INVALID',
      `${url} answered ${status} with a page in place of data; a proxy may be in between: ${excerptOf(text)}`,
    );
  if (code === 'RevisionNotFound' || (status === 404 && /revision/i.test(said)))
    return new ZrankError(
      'REVISION_NOT_FOUND',
      `${model.id} has no revision ${JSON.stringify(model.revision ?? 'main')} (${where})`,
    );
  if (code === 'GatedRepo' || status === 403 || (status === 401 && /gated|restricted|accept/i.test(said)))
    return new ZrankError(
      'MODEL_GATED',
      `${model.id} is gated or private: accept its conditions on its page of the hub, then log in: ${logIn} (${where})`,
    );
  if (code === 'RepoNotFound' || status === 404)
    return new ZrankError(
      'MODEL_NOT_FOUND',
      `the hub has no model ${model.id}${hasToken ? '' : ', or it is private'} (${where})`,
    );
  if (status === 401)
    return new ZrankError(
      'HUB_UNAUTHORIZED',
      hasToken
        ? `the hub does not take the token: ${logIn} (${where})`
        : `the hub shows ${model.id} to nobody who is not logged in: it is private or gated, or does not exist; ${logIn} (${where})`,
    );
  return new ZrankError('HUB_RESPONSE_INVALID', `${where}, which zrank cannot make sense of`);
}

/** The last failure of something that was tried several times. */
export function givenUp(model: HubName, error: unknown): unknown {
  if (!(error instanceof TransientError)) return error;
  const advice = error.isUnreachable
    ? '; is there a network? https_proxy names a proxy, HF_ENDPOINT another hub'
    : '; what has come is kept, and the next pull goes on from there';
  return new ZrankError('HUB_UNREACHABLE', `${describeName(model)} cannot be fetched: ${error.message}${advice}`, {
    cause: error,
  });
}

/** Whether a reply is a page for people. */
export function isPage(contentType: string | string[] | undefined, text: string): boolean {
  return /\bhtml\b/i.test(String(contentType ?? '')) || /^\s*<(!doctype html|html|head|body)\b/i.test(text);
}

export function excerptOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
}

function messageOf(text: string): string {
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
    return String(error ?? message ?? text);
  } catch {
    return text;
  }
}

/** Retry-After is a number of seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
