// Delta debugging: Zeller and Hildebrandt 2002, "Simplifying and Isolating Failure-Inducing Input".

/**
 * The smallest part of a text, by code points, that still fails: no run of it can be left out.
 *
 * @param {string} text
 * @param {(text: string) => Promise<boolean>} fails
 */
export async function minimise(text, fails) {
  let characters = [...text];
  for (let parts = 2; characters.length > 1; ) {
    const length = Math.ceil(characters.length / parts);
    let reduced = false;
    for (let begin = 0; begin < characters.length && !reduced; begin += length) {
      const rest = [...characters.slice(0, begin), ...characters.slice(begin + length)];
      if (await fails(rest.join(''))) {
        characters = rest;
        reduced = true;
      }
    }
    if (reduced) parts = Math.max(parts - 1, 2);
    else if (length === 1) break;
    else parts = Math.min(2 * parts, characters.length);
  }
  return characters.join('');
}

/** A text as a JavaScript string of ASCII. @param {string} text */
export function escaped(text) {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
