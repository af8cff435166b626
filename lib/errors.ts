/** Every `code` that a {@link BertNativeError} can carry. */
export const errorCodes = {
  ERR_OPTION: 'an option is unknown, of the wrong type or out of its range',
  ERR_SHAPE: 'lengths or dimensions do not fit together',
  ERR_DTYPE: 'an element type that is not taken here',
  ERR_TOKEN_ID: 'an id outside the vocabulary',
  ERR_SEQUENCE_TOO_LONG: 'more positions than the model has',
  ERR_TRUNCATION: 'max_length cannot be reached by the truncation asked for',
  ERR_WEIGHT_MISSING: 'the checkpoint lacks a parameter of the model',
  ERR_WEIGHT_SHAPE: 'a parameter has another shape than the configuration says',
  ERR_CONFIG: 'a configuration that describes no model',
  ERR_FILE_FORMAT: 'a file that does not follow its format',
  ERR_UNSAFE_PICKLE: 'a pickle that asks for more than a state dict needs',
  ERR_UNSUPPORTED_MODEL: 'a model family that is not supported',
  ERR_UNSUPPORTED_TOKENIZER: 'a tokenizer, or a part of one, that is not supported',
  ERR_NOT_FOUND: 'no such file, folder or model',
  ERR_OFFLINE: 'a download was needed while offline',
  ERR_HUB: 'the model hub refused or failed',
  ERR_DEVICE: 'the machine lacks what was asked for',
  ERR_ADDON: 'the native addon cannot be loaded',
  ERR_ENGINE: 'the engine asked for is not installed, or cannot be used here',
  ERR_MEMORY: 'an allocation failed',
  ERR_QUEUE_FULL: 'more work queued than allowed',
  ERR_DISPOSED: 'the model was disposed',
  ERR_ABORTED: 'the caller aborted',
  ERR_IO: 'reading or writing failed, or a file changed while it was read',
} as const;

/** What a {@link BertNativeError} is, by a name that stays the same from version to version. */
export type ErrorCode = keyof typeof errorCodes;

/** The one error class of this library. `code` is stable; the message says what was wrong, what was expected and where. */
export class BertNativeError extends Error {
  override readonly name = 'BertNativeError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
