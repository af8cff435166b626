import { optionError } from '../options.ts';

/**
 * Whether a name from the hub, or from a file of a repository, leads to a file below the folder it is joined to, on every
 * platform: no part is empty, `.` or `..`, and there are no backslashes, colons (drives and streams of Windows) or control
 * characters.
 */
export function isPlainPath(name: string): boolean {
  if (name.length > 1024 || /[\\:\p{Cc}]/u.test(name)) return false;
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/**
 * A pattern as the command `hf download` takes it: `*` stands for any characters, slashes too, `?` for one, `[…]` for one of
 * a set, and a slash at the end for everything in a folder.
 *
 * @throws BertNativeError `ERR_OPTION` for a set that is none, such as `[z-a]`
 */
export function patternMatcher(pattern: string): (path: string) => boolean {
  const whole = pattern.endsWith('/') ? `${pattern}*` : pattern;
  const source = whole.replace(/\[!?[^\]]+\]|\*+|./gsu, (piece) => {
    if (piece.startsWith('*')) return '.*';
    if (piece === '?') return '.';
    if (piece.length > 1 && piece.startsWith('[')) {
      const set = piece.slice(1, -1).replaceAll(/[\\\]^[&~]/g, '\\$&');
      return set.startsWith('!') ? `[^${set.slice(1)}]` : `[${set}]`;
    }
    return piece.replace(/[\\^$.|+()[\]{}/]/g, '\\$&');
  });
  const expression = regularExpression(source);
  if (expression === undefined) throw optionError('a pattern', pattern, 'sets of characters such as [a-z] in it');
  return (path) => expression.test(path);
}

function regularExpression(source: string): RegExp | undefined {
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    return undefined;
  }
}

/** Whether a path matches one of the patterns of `include` (none: any path) and none of `exclude`. */
export function pathFilter(
  include: readonly string[] | null | undefined,
  exclude: readonly string[] | null | undefined,
): (path: string) => boolean {
  const included = include?.map(patternMatcher);
  const excluded = (exclude ?? []).map(patternMatcher);
  return (path) =>
    (included === undefined || included.some((matches) => matches(path))) && !excluded.some((matches) => matches(path));
}
