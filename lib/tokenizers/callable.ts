/** Base of classes whose instances are functions too: `instance(…)` is `instance._call(…)`. */
export abstract class Callable<Arguments extends readonly unknown[], Result> {
  constructor() {
    const instance = (...args: Arguments): Result => (instance as unknown as this)._call(...args);
    // A function's own name and length would show up as fields of the instance.
    Reflect.deleteProperty(instance, 'name');
    Reflect.deleteProperty(instance, 'length');
    // biome-ignore lint/correctness/noConstructorReturn: an object made by `new` cannot be called, a function can
    return Object.setPrototypeOf(instance, new.target.prototype);
  }

  abstract _call(...args: Arguments): Result;
}
