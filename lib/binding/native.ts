/** The typed surface of the addon: everything that `native/binding/addon.cc` exports. */
export interface NativeBinding {
  /** Hands over the class of every error from here on; the addon calls `new errorClass(code, message)`. */
  set_error_class(errorClass: new (code: never, message: string) => Error): void;
  system_info(): SystemInfo;
}

export interface SystemInfo {
  /** The instruction set in use. */
  readonly isa: string;
  /** Those this processor can run, least preferred first. */
  readonly available_isas: readonly string[];
}
