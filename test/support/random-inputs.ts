/** A small generator of repeatable numbers for tests: mulberry32 (Tommy Ettinger), uniform in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `lengths.length` rows of random ids from 1 to below `vocab_size`, padded with 0 to `width`, and their mask. */
export function randomRows(
  random: () => number,
  lengths: readonly number[],
  vocab_size: number,
  width = Math.max(...lengths),
): { input_ids: number[][]; attention_mask: number[][]; token_type_ids: number[][] } {
  const row = (length: number, value: () => number) =>
    Array.from({ length: width }, (_, i) => (i < length ? value() : 0));
  return {
    input_ids: lengths.map((length) => row(length, () => 1 + Math.floor(random() * (vocab_size - 1)))),
    attention_mask: lengths.map((length) => row(length, () => 1)),
    token_type_ids: lengths.map((length) => row(length, () => Math.floor(random() * 2))),
  };
}
