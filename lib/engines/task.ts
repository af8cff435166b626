/**
 * What a task's model makes of its heads' results (`ForwardResult.heads`): the same in a call, on packed rows and in an
 * exported graph.
 */
export interface TaskDescription {
  /** The named outputs, in order. */
  readonly outputs: readonly TaskOutput[];
  /** Whether inputs have a dimension more, `[B, C, S]`, C choices; heads of one number each then give `[B, C]`. */
  readonly choices: boolean;
}

export interface TaskOutput {
  readonly name: string;
  /** The head's name. */
  readonly head: string;
  /** The only number of each row that the output has: `[B, S]` of a head over tokens; null: all of them. */
  readonly column: number | null;
}
