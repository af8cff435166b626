/** A file that was read, and its path for messages. */
export interface FileBytes {
  readonly path: string;
  readonly bytes: Uint8Array;
}
