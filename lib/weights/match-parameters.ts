import { BertNativeError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { type CheckpointTensor, isLoadable, quoted } from './checkpoint-tensor.ts';
import type { TensorSpan } from './tensor-span.ts';

/** A parameter that a model wants, under the key that the model's own `state_dict()` has. */
export interface WantedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Names under which a checkpoint may have it instead, best first. */
  readonly other_names?: readonly string[] | undefined;
}

export interface MatchRequest {
  readonly checkpoint: Pick<Checkpoint, 'folder' | 'tensors'>;
  readonly wanted: readonly WantedParameter[];
  /** The name under which models with heads keep the bare encoder, such as `bert`; empty: none. */
  readonly base_model_prefix: string;
  /** Names in the checkpoint, and wanted names, that need not be reported; the class attributes of transformers. */
  readonly ignore_on_unexpected?: readonly RegExp[];
  readonly ignore_on_missing?: readonly RegExp[];
}

export interface ParameterMatch {
  /** Wanted name → where its values lie. */
  readonly found: ReadonlyMap<string, TensorSpan>;
  /** Wanted names that the checkpoint lacks, in the order asked for. */
  readonly missing: readonly string[];
  /** Names in the checkpoint that nothing wanted. */
  readonly unexpected: readonly string[];
}

/** Buffers that old versions of transformers saved and that are computed, not loaded. */
const bufferNames = /(^|\.)embeddings\.(position_ids|token_type_ids)$/;

/**
 * Finds a model's parameters in a checkpoint as `from_pretrained` of transformers does. Names of old checkpoints
 * (`LayerNorm.gamma`, `LayerNorm.beta`) are read as today's. When only one side has the base model's prefix, it is added
 * or dropped: a checkpoint of a model with heads loads into the bare encoder, and an encoder's into a model with heads,
 * whose heads are missing then.
 *
 * @throws BertNativeError `ERR_WEIGHT_SHAPE` naming tensor, shapes and file; `ERR_DTYPE` for a wanted tensor of a dtype
 * that cannot be loaded; `ERR_FILE_FORMAT` when the checkpoint has a parameter under its old and its new name
 */
export function matchParameters(request: MatchRequest): ParameterMatch {
  const { wanted, ignore_on_missing = [], ignore_on_unexpected = [] } = request;
  const tensors = underCurrentNames(request.checkpoint);
  const keyOf = keyMapping(request, tensors);
  const found = new Map<string, TensorSpan>();
  const tensorAt = (key: string | null) => (key === null ? undefined : tensors.get(key));
  const missing: string[] = [];
  const used = new Set<string>();
  for (const parameter of wanted) {
    const names = [parameter.name, ...(parameter.other_names ?? [])];
    const named = names.map((name) => tensorAt(keyOf(name))).find((tensor) => tensor !== undefined);
    if (named !== undefined) {
      found.set(parameter.name, requireFit(named, parameter));
      used.add(named.name);
    } else if (!matchesAny(parameter.name, ignore_on_missing)) {
      missing.push(parameter.name);
    }
  }
  const ignored = [bufferNames, ...ignore_on_unexpected];
  const unexpected = [...request.checkpoint.tensors.keys()].filter(
    (name) => !used.has(name) && !matchesAny(name, ignored),
  );
  return { found, missing, unexpected };
}

/** A tensor and its name in the checkpoint. */
interface NamedTensor {
  readonly name: string;
  readonly tensor: CheckpointTensor;
}

function underCurrentNames({ folder, tensors }: MatchRequest['checkpoint']): Map<string, NamedTensor> {
  const renamed = new Map<string, NamedTensor>();
  for (const [name, tensor] of tensors) {
    const current = name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
    const other = renamed.get(current);
    if (other !== undefined) {
      throw new BertNativeError(
        'ERR_FILE_FORMAT',
        `${folder}: ${quoted(other.name)} and ${quoted(name)} are two names of the same parameter`,
      );
    }
    renamed.set(current, { name, tensor });
  }
  return renamed;
}

/** Wanted name → name in the checkpoint, or null where the checkpoint cannot have it. */
function keyMapping(
  { wanted, base_model_prefix }: MatchRequest,
  tensors: ReadonlyMap<string, NamedTensor>,
): (name: string) => string | null {
  const prefix = `${base_model_prefix}.`;
  const checkpointHasPrefix = [...tensors.keys()].some((name) => name.startsWith(prefix));
  const modelHasPrefix = wanted.some(({ name }) => name.startsWith(prefix));
  if (base_model_prefix === '' || checkpointHasPrefix === modelHasPrefix) return (name) => name;
  if (checkpointHasPrefix) return (name) => prefix + name;
  // The checkpoint is a bare encoder: what it may have under a head's name belongs to something else.
  return (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : null);
}

function requireFit({ name, tensor }: NamedTensor, wanted: WantedParameter): TensorSpan {
  const where = `${tensor.file.path}: tensor ${quoted(name)}`;
  if (!isLoadable(tensor)) {
    throw new BertNativeError(
      'ERR_DTYPE',
      `${where} is stored as ${tensor.unloadable_dtype}; a parameter must be F32, F16, BF16 or F64`,
    );
  }
  const { shape } = tensor;
  if (shape.length !== wanted.shape.length || shape.some((size, axis) => size !== wanted.shape[axis])) {
    throw new BertNativeError(
      'ERR_WEIGHT_SHAPE',
      `${where} has the shape [${shape.join(', ')}]: the configuration asks for [${wanted.shape.join(', ')}] (${wanted.name})`,
    );
  }
  return tensor;
}

function matchesAny(name: string, patterns: readonly RegExp[]): boolean {
  // search(), unlike test(), has no memory between calls.
  return patterns.some((pattern) => name.search(pattern) !== -1);
}
