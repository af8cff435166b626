import type { Activation } from '../specification.ts';

/** Hendrycks & Gimpel 2016 for the three forms of GELU, Ramachandran et al. 2017 for SiLU (swish). */
export const activations: Readonly<Record<Activation, (x: number) => number>> = {
  // 1 + erf(y) is written as erfc(-y), which keeps its digits where erf(y) is close to -1.
  gelu_erf: (x) => 0.5 * x * erfc(-x * Math.SQRT1_2),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  quick_gelu: (x) => x * sigmoid(1.702 * x),
  relu: (x) => Math.max(x, 0),
  silu: (x) => x * sigmoid(x),
  tanh: Math.tanh,
};

/** x[i] = activation(x[i]) for i < size. */
export function activate(activation: Activation, x: Float64Array, size: number): void {
  const apply = activations[activation];
  for (let i = 0; i < size; ++i) x[i] = apply(x[i]!);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

// Rational approximations of W. J. Cody 1969, "Rational Chebyshev approximations for the error function", accurate to
// double precision. Coefficients of descending powers.

/** erf(x)/x in x², for |x| ≤ 0.46875. */
const smallNumerator = [
  1.8577770618460315e-1, 3.1611237438705655, 1.1386415415105016e2, 3.77485237685302e2, 3.2093775891384694e3,
];
const smallDenominator = [1, 2.3601290952344122e1, 2.4402463793444417e2, 1.2826165260773723e3, 2.844236833439171e3];
/** exp(x²)·erfc(x) in x, for 0.46875 < x ≤ 4. */
const middleNumerator = [
  2.1531153547440383e-8, 5.641884969886701e-1, 8.883149794388377, 6.611919063714163e1, 2.986351381974001e2,
  8.81952221241769e2, 1.7120476126340707e3, 2.0510783778260716e3, 1.2303393547979972e3,
];
const middleDenominator = [
  1, 1.5744926110709835e1, 1.176939508913125e2, 5.371811018620099e2, 1.6213895745666903e3, 3.2907992357334597e3,
  4.362619090143247e3, 3.4393676741437216e3, 1.2303393548037495e3,
];
/** (1/√π - x·exp(x²)·erfc(x))·x² in 1/x², for x > 4. */
const largeNumerator = [
  1.6315387137302097e-2, 3.0532663496123236e-1, 3.6034489994980445e-1, 1.2578172611122926e-1, 1.6083785148742275e-2,
  6.587491615298378e-4,
];
const largeDenominator = [
  1, 2.568520192289822, 1.8729528499234673, 5.279051029514285e-1, 6.051834131244132e-2, 2.3352049762686918e-3,
];
const inverseSqrtPi = 0.5641895835477563;

/** 1 - erf(x), to a relative error of about 1e-15 wherever the result is a normal number. */
export function erfc(x: number): number {
  const y = Math.abs(x);
  if (y <= 0.46875) return 1 - x * ratio(smallNumerator, smallDenominator, x * x);
  const positive = y <= 4 ? expMinusSquare(y) * ratio(middleNumerator, middleDenominator, y) : erfcLarge(y);
  return x < 0 ? 2 - positive : positive;
}

function erfcLarge(y: number): number {
  if (y > 27) return 0; // below the smallest double; infinity would give NaN here
  const t = 1 / (y * y);
  return (expMinusSquare(y) * (inverseSqrtPi - t * ratio(largeNumerator, largeDenominator, t))) / y;
}

/** exp(-y²), with y² split so that its rounding error is not multiplied by y². */
function expMinusSquare(y: number): number {
  const head = Math.trunc(y * 16) / 16;
  return Math.exp(-head * head) * Math.exp(-(y - head) * (y + head));
}

function ratio(numerator: readonly number[], denominator: readonly number[], x: number): number {
  let top = 0;
  let bottom = 0;
  for (let i = 0; i < numerator.length; ++i) {
    top = top * x + numerator[i]!;
    bottom = bottom * x + denominator[i]!;
  }
  return top / bottom;
}
