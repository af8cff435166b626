import type { NativeSessionSettings } from '../../binding/native.ts';
import {
  booleanRule,
  checkOptions,
  integerRule,
  type OptionRule,
  type OptionRules,
  oneOfRule,
  optionError,
} from '../../options.ts';

/** ONNX Runtime's options of a session, named as in onnxruntime-node, which is how transformers.js takes them, too. */
export interface SessionOptions {
  /** In order of preference; unless given, what `device` means. */
  readonly executionProviders?: readonly ExecutionProviderOption[] | null;
  /** Threads of an operator; 0: as many as forward passes have. */
  readonly intraOpNumThreads?: number | null;
  /** Threads that run operators at the same time, where `executionMode` is `parallel`. */
  readonly interOpNumThreads?: number | null;
  readonly executionMode?: 'sequential' | 'parallel' | null;
  /** `all` unless given. */
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all' | null;
  /** Where the optimised graph is written. */
  readonly optimizedModelFilePath?: string | null;
  readonly enableCpuMemArena?: boolean | null;
  readonly enableMemPattern?: boolean | null;
  /** From 0, which tells everything, to 4, fatal errors alone. 4 unless given: what fails is thrown. */
  readonly logSeverityLevel?: 0 | 1 | 2 | 3 | 4 | null;
  /** Lengths of the graph's symbolic dimensions, by name. */
  readonly freeDimensionOverrides?: Readonly<Record<string, number>> | null;
  /** Session configuration entries: `{ session: { intra_op: { allow_spinning: '1' } } }`. */
  readonly extra?: Readonly<Record<string, unknown>> | null;
}

/** A provider by its name (`cuda`), perhaps with options of its own (`{ name: 'cuda', deviceId: 1 }`). */
export type ExecutionProviderOption = string | ({ readonly name: string } & Readonly<Record<string, unknown>>);

export type ProviderSettings = NativeSessionSettings['providers'][number];

const providerRule = {
  expected: "an array of names, or of objects with a name: ['cuda', { name: 'cpu' }]",
  accepts: (value: unknown) =>
    Array.isArray(value) &&
    value.every((entry) => typeof entry === 'string' || typeof (entry as { name?: unknown } | null)?.name === 'string'),
};

const pathRule = {
  expected: 'the path of a file',
  accepts: (value: unknown) => typeof value === 'string' && value !== '' && !value.includes('\0'),
};

const lengthsRule = {
  expected: 'an object of whole numbers from 1 up: { batch_size: 1 }',
  accepts: (value: unknown) =>
    isObject(value) && Object.values(value).every((length) => Number.isSafeInteger(length) && length > 0),
};

export const cacheOptimizedModelRule: OptionRule = {
  expected: 'true, false or the path of a folder',
  accepts: (value) =>
    booleanRule.accepts(value) || (typeof value === 'string' && value !== '' && !value.includes('\0')),
};

const rules: OptionRules<SessionOptions> = {
  executionProviders: providerRule,
  intraOpNumThreads: { ...integerRule(0), expected: 'an integer from 0 to 1024', accepts: isThreadCount },
  interOpNumThreads: { ...integerRule(0), expected: 'an integer from 0 to 1024', accepts: isThreadCount },
  executionMode: oneOfRule('sequential', 'parallel'),
  graphOptimizationLevel: oneOfRule('disabled', 'basic', 'extended', 'layout', 'all'),
  optimizedModelFilePath: pathRule,
  enableCpuMemArena: booleanRule,
  enableMemPattern: booleanRule,
  logSeverityLevel: {
    expected: 'an integer from 0 to 4',
    accepts: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 4,
  },
  freeDimensionOverrides: lengthsRule,
  extra: { expected: 'an object', accepts: isObject },
};

/** Options of onnxruntime-node that its documentation calls placeholders, or that mean nothing beside a browser. */
const withoutEffect = [
  'enableProfiling',
  'profileFilePrefix',
  'logId',
  'logVerbosityLevel',
  'preferredOutputLocation',
  'enableGraphCapture',
  'externalData',
];

/** What a session's options come to, but for the providers, which depend on the library and the machine. */
export interface SessionPlan {
  readonly settings: Omit<NativeSessionSettings, 'providers'>;
  /** Null: as the device says. */
  readonly providers: readonly ProviderSettings[] | null;
}

/**
 * @param options as a caller gave them
 * @throws BertNativeError `ERR_OPTION` for what is no option, naming the nearest, or a value of the wrong kind
 */
export function sessionPlan(options: unknown): SessionPlan {
  const given = checkOptions<SessionOptions>('session_options', options, rules, withoutEffect);
  return {
    settings: {
      intra_op_threads: given.intraOpNumThreads ?? 0,
      inter_op_threads: given.interOpNumThreads ?? 0,
      parallel_execution: given.executionMode === 'parallel',
      optimization: given.graphOptimizationLevel ?? 'all',
      optimized_model_path: given.optimizedModelFilePath ?? '',
      memory_arena: given.enableCpuMemArena ?? true,
      memory_pattern: given.enableMemPattern ?? false,
      log_severity: given.logSeverityLevel ?? 4,
      entries: configurationEntries(given.extra ?? {}),
      free_dimensions: Object.entries(given.freeDimensionOverrides ?? {}),
      token_budget: 0,
    },
    providers: given.executionProviders?.map(providerSettings) ?? null,
  };
}

function isThreadCount(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 1024;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Deeper than any key of ONNX Runtime's has parts; it also ends an object that is in itself. */
const maxKeyParts = 8;

/** `{ session: { intra_op: { allow_spinning: '1' } } }` → `session.intra_op.allow_spinning` = `1`. */
function configurationEntries(extra: object, parts: readonly string[] = []): [key: string, value: string][] {
  return Object.entries(extra).flatMap(([name, value]): [string, string][] => {
    const key = [...parts, name];
    if (value === null || value === undefined) return [];
    if (!isObject(value)) return [[key.join('.'), settingText(`session_options.extra.${key.join('.')}`, value)]];
    if (key.length >= maxKeyParts) {
      throw optionError('session_options.extra', extra, `objects in one another at most ${maxKeyParts} deep`);
    }
    return configurationEntries(value, key);
  });
}

/** Providers whose settings have names in camel case; all others' have them with underscores. */
const camelCaseProviders = ['webgpu', 'webnn', 'coreml'];

function providerSettings(provider: ExecutionProviderOption): ProviderSettings {
  if (typeof provider === 'string') return { name: provider.toLowerCase(), settings: [] };
  const { name, ...settings } = provider;
  const asGiven = camelCaseProviders.includes(name.toLowerCase());
  return {
    name: name.toLowerCase(),
    settings: Object.entries(settings).flatMap(([key, value]): [string, string][] => {
      if (value === null || value === undefined) return [];
      const text = settingText(`session_options.executionProviders: ${name}: ${key}`, value);
      return [[asGiven ? key : key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), text]];
    }),
  };
}

/** Settings are texts to ONNX Runtime. */
function settingText(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string' && !value.includes('\0')) return value;
  throw optionError(name, value, 'a string, a number, true or false');
}
