/**
 * Makes the instances of a class callable, as tokenizers, models and pipelines are: `instance(…)` is `instance._call(…)`.
 * An instance is a function whose prototype is the class's.
 */
export abstract class Callable {
  constructor() {
    const call = (...values: unknown[]) => (call as unknown as Callable)._call(...values);
    // A function's own name and length would show up as fields of the instance.
    Reflect.deleteProperty(call, 'name');
    Reflect.deleteProperty(call, 'length');
    // biome-ignore lint/correctness/noConstructorReturn: the function takes the place of the plain object.
    return Object.setPrototypeOf(call, new.target.prototype);
  }

  abstract _call(...values: unknown[]): unknown;
}
