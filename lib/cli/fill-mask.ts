import type { FilledMask, FillMaskOutput } from '../pipelines/fill-mask.ts';
import { oneLine, runTask, shown, type TaskArguments, withRecords } from './task-command.ts';

export interface FillMaskArguments extends TaskArguments {
  topK: number;
  targets?: string[];
}

/** `bert-native fill-mask`: what may stand in place of the masks of texts. */
export async function runFillMask(texts: readonly string[], options: FillMaskArguments): Promise<void> {
  const { topK: top_k, targets, maxLength: max_length } = options;
  await runTask(texts, options, {
    task: 'fill-mask',
    done: 'filled',
    resumable: true,
    record: { '--top-k': top_k, '--targets': targets?.join(', ') ?? null },
    run: (pipe, records, call) =>
      withRecords(
        records,
        ({ text }) => text,
        (items) => pipe<FillMaskOutput>(items, { ...call, max_length, top_k, targets }),
      ),
    key: 'tokens',
    json: (found) => found,
    text: described,
  });
}

/** The tokens of each mask; between two masks a bar. */
function described(found: FillMaskOutput): string {
  const masks = (Array.isArray(found[0]) ? found : [found]) as FilledMask[][];
  const tokens = (mask: FilledMask[]) =>
    mask.map(({ token_str, score }) => `${oneLine(token_str)}\t${shown(score)}`).join('\t');
  return masks.map(tokens).join('\t|\t');
}
