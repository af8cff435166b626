import type { PretrainedConfig } from '../models/configuration.ts';

/** The name of a class, `LABEL_<i>` where the configuration has none; some files have numbers for names. */
export function labelOf({ id2label }: PretrainedConfig, id: number): string {
  const name: unknown = id2label[id];
  return typeof name === 'string' || typeof name === 'number' ? String(name) : `LABEL_${id}`;
}
