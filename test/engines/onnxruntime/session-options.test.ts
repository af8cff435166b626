import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { NativeOnnxRuntime } from '../../../lib/binding/native.ts';
import { availableDevices, chooseProviders } from '../../../lib/engines/onnxruntime/devices.ts';
import { sessionPlan } from '../../../lib/engines/onnxruntime/session-options.ts';
import { BertNativeError, type ErrorCode } from '../../../lib/errors.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { withWarnings } from '../../support/warnings.ts';

function thrown(action: () => unknown, code: ErrorCode): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(BertNativeError);
    expect((error as BertNativeError).code).toBe(code);
    return (error as Error).message;
  }
  return expect.fail(`expected ${code}`);
}

describe('session_options', () => {
  test('none', () => {
    const defaults = sessionPlan(undefined);
    expect(defaults.providers).toBeNull();
    expect(defaults.settings).toMatchObject({ intra_op_threads: 0, optimization: 'all', optimized_model_path: '' });
    for (const none of [null, {}, { intraOpNumThreads: null, extra: undefined }]) {
      expect(sessionPlan(none)).toEqual(defaults);
    }
  });

  test('all', () => {
    const { settings, providers } = sessionPlan({
      executionProviders: [
        'CUDA',
        { name: 'tensorrt', deviceId: 1, trtFp16Enable: true },
        { name: 'coreml', MLComputeUnits: 'ALL' },
      ],
      intraOpNumThreads: 3,
      interOpNumThreads: 2,
      executionMode: 'parallel',
      graphOptimizationLevel: 'extended',
      optimizedModelFilePath: '/tmp/o.onnx',
      enableCpuMemArena: false,
      enableMemPattern: true,
      logSeverityLevel: 0,
      freeDimensionOverrides: { batch: 4 },
      extra: { session: { intra_op: { allow_spinning: true }, x: 1 }, 'optimization.y': 'z', none: null },
    });
    expect(providers).toEqual([
      { name: 'cuda', settings: [] },
      {
        name: 'tensorrt',
        settings: [
          ['device_id', '1'],
          ['trt_fp16_enable', '1'],
        ],
      },
      { name: 'coreml', settings: [['MLComputeUnits', 'ALL']] },
    ]);
    expect(settings).toEqual({
      intra_op_threads: 3,
      inter_op_threads: 2,
      parallel_execution: true,
      optimization: 'extended',
      optimized_model_path: '/tmp/o.onnx',
      memory_arena: false,
      memory_pattern: true,
      log_severity: 0,
      entries: [
        ['session.intra_op.allow_spinning', '1'],
        ['session.x', '1'],
        ['optimization.y', 'z'],
      ],
      free_dimensions: [['batch', 4]],
      token_budget: 0,
    });
  });

  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  test.each<[object, string]>([
    [{ executionProviders: 'cpu' }, 'executionProviders'],
    [{ executionProviders: [{ deviceId: 0 }] }, 'executionProviders'],
    [{ executionProviders: [null] }, 'executionProviders'],
    [{ executionProviders: [{ name: 'cuda', deviceId: {} }] }, 'deviceId'],
    [{ intraOpNumThreads: -1 }, 'from 0 to 1024'],
    [{ intraOpNumThreads: 2.5 }, 'from 0 to 1024'],
    [{ interOpNumThreads: 5000 }, 'from 0 to 1024'],
    [{ executionMode: 'fast' }, "'sequential' or 'parallel'"],
    [{ graphOptimizationLevel: 99 }, "'layout' or 'all'"],
    [{ optimizedModelFilePath: '' }, 'path'],
    [{ logSeverityLevel: 5 }, 'from 0 to 4'],
    [{ freeDimensionOverrides: { batch: 0 } }, 'freeDimensionOverrides'],
    [{ freeDimensionOverrides: [1] }, 'freeDimensionOverrides'],
    [{ extra: circular }, 'deep'],
    [{ extra: { session: { x: () => 1 } } }, 'session.x'],
    [{ extra: { session: { x: 'a\0b' } } }, 'session.x'],
    [{ intraOpThreads: 1 }, "did you mean 'intraOpNumThreads'"],
    [{ graphOptimisationLevel: 'all' }, "did you mean 'graphOptimizationLevel'"],
  ])('%o is refused', (options, part) => {
    expect(thrown(() => sessionPlan(options), 'ERR_OPTION')).toContain(part);
  });

  test('no object', () => void thrown(() => sessionPlan('all'), 'ERR_OPTION'));

  test('what has no effect here is a warning', async () => {
    const { warnings } = await withWarnings(async () => sessionPlan({ enableGraphCapture: true }));
    expect(warnings.map(({ code }) => code)).toEqual(['BERT_NATIVE_OPTION_WITHOUT_EFFECT']);
  });
});

describe('device', () => {
  /** A library that lists providers; those in files of their own have them where `files` says so. */
  const library = (providers: readonly string[], files: readonly string[] = []): NativeOnnxRuntime => {
    const folder = join(temporaryFolder(), 'lib');
    mkdirSync(folder);
    const ending = process.platform === 'win32' ? ['', '.dll'] : ['lib', '.so'];
    for (const name of files) writeFileSync(join(folder, ending.join(`onnxruntime_providers_${name}`)), '');
    return { path: join(folder, 'library'), version: '1.99.0', providers: [...providers, 'CPUExecutionProvider'] };
  };
  const plain = library([]);
  const cuda = library(['CUDAExecutionProvider'], ['cuda']);
  const incomplete = library(['TensorrtExecutionProvider', 'CUDAExecutionProvider']);
  const names = ({ providers }: { providers: readonly { name: string }[] }) => providers.map(({ name }) => name);

  test.each<[unknown, NativeOnnxRuntime, string[], boolean]>([
    [null, cuda, ['cpu'], false],
    ['cpu', cuda, ['cpu'], false],
    ['CUDA', cuda, ['cuda'], false],
    ['auto', cuda, ['cuda'], true],
    ['auto', plain, [], true],
    ['auto', incomplete, [], true],
    ['gpu', cuda, ['cuda'], false],
    ['auto', library(['DmlExecutionProvider', 'WebGpuExecutionProvider']), ['dml'], true],
    ['gpu', library(['DmlExecutionProvider', 'WebGpuExecutionProvider']), ['dml', 'webgpu'], false],
    ['CUDAExecutionProvider', cuda, ['cuda'], false],
  ])('%j of %o', (device, runtime, expected, optional) => {
    const choice = chooseProviders(device, null, runtime);
    expect(names(choice)).toEqual(expected);
    expect(choice.optional).toBe(optional);
  });

  test("the session's own providers go first", () => {
    const named = [
      { name: 'cuda', settings: [['device_id', '1'] as const] },
      { name: 'cpu', settings: [] },
    ];
    expect(chooseProviders('auto', named, cuda)).toEqual({ providers: named, optional: false });
  });

  test('a kind of WebNN', () => {
    const { providers } = chooseProviders('webnn-npu', null, library(['WebNNExecutionProvider']));
    expect(providers).toEqual([{ name: 'webnn', settings: [['deviceType', 'npu']] }]);
  });

  test.each<[string, ErrorCode, string]>([
    ['cuda', 'ERR_DEVICE', 'it runs on cpu'],
    ['gpu', 'ERR_DEVICE', 'has no gpu'],
    ['webgpu', 'ERR_DEVICE', '1.99.0'],
    ['wasm', 'ERR_DEVICE', 'browsers'],
    ['cudda', 'ERR_OPTION', "did you mean 'cuda'"],
    ['quantum', 'ERR_OPTION', 'expected one of auto, gpu, cpu'],
  ])('%s, which is not there', (device, code, part) => {
    expect(thrown(() => chooseProviders(device, null, plain), code)).toContain(part);
    expect(
      thrown(
        () => chooseProviders('cpu', [{ name: device, settings: [] }], plain),
        device === 'gpu' ? 'ERR_OPTION' : code,
      ),
    ).toBeTruthy();
  });

  test('a provider whose own file is missing', () => {
    expect(thrown(() => chooseProviders('cuda', null, incomplete), 'ERR_DEVICE')).toContain(
      'onnxruntime_providers_cuda',
    );
    expect(availableDevices(incomplete)).toEqual(['cpu']);
    expect(availableDevices(cuda)).toEqual(['cpu', 'cuda']);
  });

  test('no name', () => void thrown(() => chooseProviders(0, null, plain), 'ERR_OPTION'));
});
