import type { Activation } from '../engines/specification.ts';

/** transformers' names of the activations, and which of ours each one is. */
export const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu_erf',
  gelu_python: 'gelu_erf',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
  tanh: 'tanh',
};

export const activationNames = Object.keys(activations);
