/** The licence that a model card names in its metadata (YAML between two lines of ---); undefined where it names none. */
export function licenceOf(card: string): string | undefined {
  const [, metadata = ''] = /^\ufeff?---[ \t]*\r?\n([\s\S]*?)\r?\n---/.exec(card) ?? [];
  const field = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(?:\\r?\\n[ \\t]*-[ \\t]*)?["']?([^"'#\\r\\n]+)`, 'm').exec(metadata)?.[1]?.trim();
  const licence = field('license');
  const name = licence === 'other' ? field('license_name') : undefined;
  return name ?? licence;
}

/** Whether a licence forbids commercial use, by its name. */
export function isNonCommercial(licence: string): boolean {
  return /(^|[-_ ])nc([-_ ]|$)|non-?commercial|research/i.test(licence);
}
