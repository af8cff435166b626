/** exp(x - max) over their sum. */
export function softmax(values: ArrayLike<number>): Float64Array {
  const scores = new Float64Array(values);
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) largest = Math.max(largest, scores[i]!);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    scores[i] = Math.exp(scores[i]! - largest);
    sum += scores[i]!;
  }
  for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! / sum;
  return scores;
}

export function sigmoid(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values, (value) => 1 / (1 + Math.exp(-value)));
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The indices of the `count` largest values, largest first, equal ones in their order; null: all of them. */
export function largest(values: ArrayLike<number>, count: number | null): number[] {
  if (count === null || count * 8 >= values.length) {
    const order = Array.from({ length: values.length }, (_, i) => i);
    order.sort((a, b) => values[b]! - values[a]!);
    return count === null ? order : order.slice(0, count);
  }
  // A few of a vocabulary: those found so far, in order.
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (found.length === count && !(values[i]! > values[found[count - 1]!]!)) continue;
    let at = found.length;
    while (at > 0 && values[i]! > values[found[at - 1]!]!) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}
