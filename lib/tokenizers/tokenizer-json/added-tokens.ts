import { type AddedToken, toAddedToken } from '../special-tokens.ts';
import type { JsonPart } from './json-part.ts';
import { maxTokens } from './models.ts';

export interface AddedTokenWithId {
  readonly token: AddedToken;
  readonly id: number;
  /** Where it stands, for messages. */
  readonly where: string;
}

const flags = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const;

/** `added_tokens`, each with its id. @throws BertNativeError `ERR_FILE_FORMAT`, for an id or a content given twice as well */
export function readAddedTokens(part: JsonPart): AddedTokenWithId[] {
  if (part.isAbsent) return [];
  const contentOf = new Map<number, string>();
  const idOf = new Map<string, number>();
  return part.elements().map((element) => {
    const content = element.member('content').string();
    if (content === '') throw element.member('content').refusal('a string that is not empty');
    for (const flag of flags) if (!element.member(flag).isAbsent) element.member(flag).boolean();
    const id = element.member('id').integer(0, maxTokens - 1);
    const [other, otherId] = [contentOf.get(id), idOf.get(content)];
    if (other !== undefined) {
      throw element.error(
        'ERR_FILE_FORMAT',
        `gives ${JSON.stringify(content)} the id ${id} of ${JSON.stringify(other)}`,
      );
    }
    if (otherId !== undefined) {
      throw element.error('ERR_FILE_FORMAT', `gives ${JSON.stringify(content)} the id ${id}, but it has ${otherId}`);
    }
    contentOf.set(id, content);
    idOf.set(content, id);
    return { token: toAddedToken({ ...element.object(), content }, false), id, where: element.where };
  });
}
