/** A model of the Hugging Face hub: `owner/name`, perhaps `@revision`. */
export interface HubName {
  /** `owner/name` */
  id: string;
  /** A branch, a tag or a commit; undefined where none is named. */
  revision: string | undefined;
}

const part = /^[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_-])?$/;

/** Reads `owner/name[@revision]` by the hub's own rules for names; undefined where a text is no such name. */
export function parseHubName(text: string): HubName | undefined {
  const at = text.indexOf('@');
  const id = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? undefined : text.slice(at + 1);
  const parts = id.split('/');
  const isId = parts.length === 2 && id.length <= 96 && parts.every((name) => part.test(name)) && !/--|\.\./.test(id);
  return isId && (revision === undefined || isRevision(revision)) ? { id, revision } : undefined;
}

/** What git allows of a branch's or a tag's name and is safe as a path below a folder. */
function isRevision(text: string): boolean {
  return isInside(text) && !/[\s~^:?*[\\@]|\p{Cc}/u.test(text) && !text.includes('..');
}

export function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

/** Whether a path with slashes, as the hub gives it, names something inside the folder that it is relative to. */
export function isInside(path: string): boolean {
  return !/[\\\0]/.test(path) && path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}

export function describeName({ id, revision }: HubName): string {
  return revision === undefined ? id : `${id}@${revision}`;
}
