import type { NativePostProcessor, TemplatePiece } from '../../binding/native.ts';
import { type JsonPart, type PartReader, readTyped } from './json-part.ts';

/** What one post-processor does: puts special tokens around texts, trims offsets, or both. */
interface Processing {
  readonly template: { readonly single: readonly TemplatePiece[]; readonly pair: readonly TemplatePiece[] } | null;
  readonly trim_offsets: NativePostProcessor['trim_offsets'];
}

/** Whether an id is that of a token. */
export type IsKnownId = (id: number) => boolean;

/**
 * `post_processor`, the chain of them folded into one; without any, two texts stand one behind the other.
 *
 * @throws BertNativeError `ERR_FILE_FORMAT` for special tokens that there are none of
 */
export function readPostProcessor(part: JsonPart, isKnownId: IsKnownId): NativePostProcessor {
  const { template, trim_offsets }: Processing = part.isAbsent
    ? { template: null, trim_offsets: null }
    : readTyped(part, readersFor(isKnownId), 0);
  return { ...(template ?? plainTemplate), always_type_ids: true, trim_offsets };
}

const first: TemplatePiece = { sequence: 'A', type_id: 0 };

const plainTemplate = { single: [first], pair: [first, { sequence: 'B', type_id: 1 }] } as const;

function readersFor(isKnownId: IsKnownId): ReadonlyMap<string, PartReader<Processing>> {
  const readers: Map<string, PartReader<Processing>> = new Map<string, PartReader<Processing>>([
    [
      'BertProcessing',
      (part) => {
        const [cls, sep] = readEnds(part, isKnownId);
        const single: TemplatePiece[] = [special(cls, 0), first, special(sep, 0)];
        const pair: TemplatePiece[] = [...single, { sequence: 'B', type_id: 1 }, special(sep, 1)];
        return { template: { single, pair }, trim_offsets: null };
      },
    ],
    [
      'RobertaProcessing',
      (part) => {
        const [cls, sep] = readEnds(part, isKnownId);
        const single: TemplatePiece[] = [special(cls, 0), first, special(sep, 0)];
        const pair: TemplatePiece[] = [...single, special(sep, 0), { sequence: 'B', type_id: 0 }, special(sep, 0)];
        return { template: { single, pair }, trim_offsets: readTrimming(part) };
      },
    ],
    ['TemplateProcessing', (part) => ({ template: readTemplates(part, isKnownId), trim_offsets: null })],
    ['ByteLevel', (part) => ({ template: null, trim_offsets: readTrimming(part) })],
    [
      'Sequence',
      (part: JsonPart, depth: number): Processing => {
        const parts = part.member('processors').elements();
        return combine(
          part,
          parts.map((processor) => readTyped(processor, readers, depth + 1)),
        );
      },
    ],
  ]);
  return readers;
}

/** The tokenizers library, too, knows no second template: it fails on what a first one made. */
function combine(part: JsonPart, processings: readonly Processing[]): Processing {
  const templates = processings.flatMap(({ template }) => (template === null ? [] : [template]));
  const trimmings = processings.flatMap(({ trim_offsets }) => (trim_offsets === null ? [] : [trim_offsets]));
  if (templates.length > 1 || trimmings.length > 1) {
    const what = templates.length > 1 ? 'put special tokens around the texts' : 'trim offsets';
    throw part.error('ERR_UNSUPPORTED_TOKENIZER', `has several processors that ${what}: expected one`);
  }
  return { template: templates[0] ?? null, trim_offsets: trimmings[0] ?? null };
}

const special = (special_id: number, type_id: number): TemplatePiece => ({ special_id, type_id });

/** `cls` and `sep`, each `[token, id]`. */
function readEnds(part: JsonPart, isKnownId: IsKnownId): [cls: number, sep: number] {
  const idOf = (name: string): number => {
    const end = part.member(name);
    if (end.array().length !== 2) throw end.refusal('[token, id]');
    end.element(0).string();
    return readTokenId(end.element(1), isKnownId);
  };
  return [idOf('cls'), idOf('sep')];
}

function readTrimming(part: JsonPart): NativePostProcessor['trim_offsets'] {
  const add_prefix_space = part.member('add_prefix_space').boolean();
  return part.member('trim_offsets').boolean() ? { add_prefix_space } : null;
}

function readTemplates(part: JsonPart, isKnownId: IsKnownId): NonNullable<Processing['template']> {
  const specialIds = new Map<string, readonly number[]>();
  for (const [name, token] of part.member('special_tokens').entries()) {
    specialIds.set(
      name,
      token
        .member('ids')
        .elements()
        .map((id) => readTokenId(id, isKnownId)),
    );
  }
  return {
    single: readTemplate(part.member('single'), ['A'], specialIds),
    pair: readTemplate(part.member('pair'), ['A', 'B'], specialIds),
  };
}

/** @param sequences those that the template has to have, each once */
function readTemplate(
  part: JsonPart,
  sequences: readonly ('A' | 'B')[],
  specialIds: ReadonlyMap<string, readonly number[]>,
): TemplatePiece[] {
  const pieces = part.elements().flatMap((piece) => readPiece(piece, specialIds));
  const found = pieces.flatMap((piece) => ('sequence' in piece ? [piece.sequence] : []));
  if (found.toSorted().join() !== sequences.join()) {
    throw part.error(
      'ERR_UNSUPPORTED_TOKENIZER',
      `has the sequences ${found.join(', ') || 'none'}: expected ${sequences.join(' and ')}, once`,
    );
  }
  return pieces;
}

const maxTypeId = 255;

function readPiece(part: JsonPart, specialIds: ReadonlyMap<string, readonly number[]>): TemplatePiece[] {
  const [entry, ...more] = part.entries();
  const [kind] = entry ?? [];
  if (more.length > 0 || (kind !== 'Sequence' && kind !== 'SpecialToken')) {
    throw part.refusal('{ "Sequence": … } or { "SpecialToken": … }');
  }
  const piece = part.member(kind);
  const type_id = piece.member('type_id').integer(0, maxTypeId);
  const id = piece.member('id');
  if (kind === 'Sequence') return [{ sequence: id.oneOf(['A', 'B']), type_id }];
  const ids = specialIds.get(id.string());
  if (ids === undefined) throw id.error('ERR_FILE_FORMAT', `is "${id.value}", which special_tokens lacks`);
  return ids.map((special_id) => special(special_id, type_id));
}

function readTokenId(part: JsonPart, isKnownId: IsKnownId): number {
  const id = part.integer(0, 2 ** 31 - 1);
  if (!isKnownId(id)) throw part.error('ERR_FILE_FORMAT', `is ${id}: expected the id of a token`);
  return id;
}
