import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NativeOnnxRuntime } from '../../binding/native.ts';
import { BertNativeError } from '../../errors.ts';
import { nearest, optionError } from '../../options.ts';
import type { ProviderSettings } from './session-options.ts';

/** Execution providers by the names that onnxruntime-node and transformers.js give them, and the library's own. */
const providerNames: Readonly<Record<string, string>> = {
  cpu: 'CPUExecutionProvider',
  cuda: 'CUDAExecutionProvider',
  tensorrt: 'TensorrtExecutionProvider',
  nvtensorrtrtx: 'NvTensorRTRTXExecutionProvider',
  coreml: 'CoreMLExecutionProvider',
  dml: 'DmlExecutionProvider',
  webgpu: 'WebGpuExecutionProvider',
  webnn: 'WebNNExecutionProvider',
  xnnpack: 'XnnpackExecutionProvider',
  qnn: 'QNNExecutionProvider',
  openvino: 'OpenVINOExecutionProvider',
  rocm: 'ROCMExecutionProvider',
  migraphx: 'MIGraphXExecutionProvider',
  vitisai: 'VitisAIExecutionProvider',
  azure: 'AzureExecutionProvider',
};

/** What `auto` tries, best first, and what `gpu` does: those that need no exporting of a graph's own for them. */
const automatic = ['cuda', 'dml', 'coreml'];
const gpus = ['cuda', 'dml', 'webgpu', 'coreml'];

/** `webnn` with the kind of device that runs it. */
const webnnDevices: Readonly<Record<string, string>> = { 'webnn-npu': 'npu', 'webnn-gpu': 'gpu', 'webnn-cpu': 'cpu' };

const deviceNames = ['auto', 'gpu', ...Object.keys(providerNames), ...Object.keys(webnnDevices)];

/** Providers that the library opens from files of their own beside it, when it is asked for them. */
const separateProviders: Readonly<Record<string, string>> = {
  cuda: 'onnxruntime_providers_cuda',
  tensorrt: 'onnxruntime_providers_tensorrt',
  openvino: 'onnxruntime_providers_openvino',
  rocm: 'onnxruntime_providers_rocm',
  migraphx: 'onnxruntime_providers_migraphx',
};

export interface ProviderChoice {
  readonly providers: readonly ProviderSettings[];
  /** Whether the processor alone will do where no session can be made with them. */
  readonly optional: boolean;
}

/**
 * The execution providers of a session: those that its options name, else what the device means.
 *
 * @param device as a caller gave it; null: `cpu`
 * @param named providers of the session's options; null: none were given
 * @throws BertNativeError `ERR_OPTION` for a name that stands for nothing, with the nearest; `ERR_DEVICE` for what this library
 *   cannot run on, with what it can
 */
export function chooseProviders(
  device: unknown,
  named: readonly ProviderSettings[] | null,
  runtime: NativeOnnxRuntime,
): ProviderChoice {
  if (named !== null) {
    return { providers: named.map((provider) => requireProvider(provider, runtime)), optional: false };
  }
  const name = device ?? 'cpu';
  if (typeof name !== 'string') throw optionError('device', device, `one of ${deviceNames.join(', ')}`);
  const wanted = name.toLowerCase();
  if (wanted === 'auto') {
    return { providers: automatic.filter((provider) => isThere(provider, runtime)).map(bare), optional: true };
  }
  if (wanted === 'gpu') {
    const providers = gpus.filter((provider) => isThere(provider, runtime)).map(bare);
    if (providers.length === 0) throw notThere('gpu', runtime);
    return { providers, optional: false };
  }
  const webnnDevice = webnnDevices[wanted];
  const provider = webnnDevice ? { name: 'webnn', settings: [['deviceType', webnnDevice] as const] } : bare(wanted);
  return { providers: [requireProvider(provider, runtime)], optional: false };
}

/** Devices that a library can run on, as `device` takes them. */
export function availableDevices(runtime: NativeOnnxRuntime): string[] {
  return Object.keys(providerNames).filter((name) => isThere(name, runtime));
}

function bare(name: string): ProviderSettings {
  return { name, settings: [] };
}

function requireProvider(provider: ProviderSettings, runtime: NativeOnnxRuntime): ProviderSettings {
  const name = shortName(provider.name);
  if (name === undefined) throw unknownDevice(provider.name);
  if (!isThere(name, runtime)) throw notThere(name, runtime);
  return { ...provider, name };
}

/** Also by the library's own name, as Python's users write it. */
function shortName(name: string): string | undefined {
  if (Object.hasOwn(providerNames, name)) return name;
  return Object.keys(providerNames).find((key) => providerNames[key]!.toLowerCase() === name);
}

function isThere(name: string, runtime: NativeOnnxRuntime): boolean {
  return runtime.providers.includes(providerNames[name]!) && hasOwnFile(name, runtime);
}

function hasOwnFile(name: string, { path }: NativeOnnxRuntime): boolean {
  const file = separateProviders[name];
  return file === undefined || existsSync(join(dirname(path), sharedLibrary(file)));
}

function sharedLibrary(name: string): string {
  return process.platform === 'win32' ? `${name}.dll` : `lib${name}.so`;
}

/** What PyTorch and others call the same. */
const meantDevices: Readonly<Record<string, string>> = {
  mps: 'coreml',
  metal: 'coreml',
  directml: 'dml',
  nvidia: 'cuda',
};

function unknownDevice(name: string): BertNativeError {
  if (name === 'wasm' || name === 'webgl') {
    return new BertNativeError('ERR_DEVICE', `the device '${name}' is for browsers: expected 'cpu' or 'auto'`);
  }
  const suggestion = meantDevices[name] ?? nearest(name, deviceNames);
  return new BertNativeError(
    'ERR_OPTION',
    `unknown device '${name}'${suggestion ? `; did you mean '${suggestion}'?` : `: expected one of ${deviceNames.join(', ')}`}`,
  );
}

function notThere(name: string, runtime: NativeOnnxRuntime): BertNativeError {
  const { path, version, providers } = runtime;
  const file = separateProviders[name];
  const incomplete =
    file !== undefined && providers.includes(providerNames[name]!)
      ? ` It knows ${name}, but the file ${sharedLibrary(file)} is not beside it: install onnxruntime-node anew with its ` +
        'install script allowed, which fetches that file.'
      : '';
  return new BertNativeError(
    'ERR_DEVICE',
    `ONNX Runtime ${version} (${path}) has no ${name} here; it runs on ${availableDevices(runtime).join(', ')}.${incomplete}`,
  );
}
