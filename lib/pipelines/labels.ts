import type { PretrainedConfig } from '../models/configuration.ts';

/** The name of a class, `LABEL_<i>` where the configuration has none. */
export function labelOf({ id2label }: PretrainedConfig, id: number): string {
  return (id2label as Readonly<Record<number, string>> | undefined)?.[id] ?? `LABEL_${id}`;
}
