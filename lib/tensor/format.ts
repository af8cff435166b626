import { type DataArray, type DataType, isFloatType } from './data-type.ts';

/** Tensors of more elements than this are printed with their middles left out. */
const fullSize = 200;
/** Entries shown at either end of a dimension that is cut. */
const edge = 3;

/** What `formatTensor` needs of a tensor. */
interface Printable {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: DataArray;
}

/** A line with type and dimensions, then the values as nested rows; long dimensions show their first and last entries. */
export function formatTensor({ type, dims, data }: Printable): string {
  const cut = data.length > fullSize;
  const element = (offset: number): string => {
    const value = data[offset]!;
    return isFloatType(type) ? formatFloat(value as number) : String(value);
  };

  const rows = (depth: number, offset: number, indent: string): string => {
    if (depth === dims.length) return element(offset);
    const length = dims[depth]!;
    const stride = dims.slice(depth + 1).reduce((product, dim) => product * dim, 1);
    const innermost = depth === dims.length - 1;
    const parts: string[] = [];
    for (let i = 0; i < length; ++i) {
      if (cut && length > 2 * edge && i === edge) {
        parts.push(innermost ? '…' : `… ${length - 2 * edge} more`);
        i = length - edge;
      }
      parts.push(rows(depth + 1, offset + i * stride, `${indent}  `));
    }
    return innermost || length === 0
      ? `[${parts.join(', ')}]`
      : `[\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}]`;
  };
  return `${formatTensorHead(type, dims)} ${data.length === 0 ? '[]' : rows(0, 0, '')}`;
}

/** Type and dimensions, as in `Tensor float32 [2, 10, 768]`. */
export function formatTensorHead(type: DataType, dims: readonly number[]): string {
  return `Tensor ${type} [${dims.join(', ')}]`;
}

function formatFloat(value: number): string {
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value) || (Number.isInteger(value) && magnitude < 1e6)) return String(value);
  return magnitude >= 1e-4 && magnitude < 1e6 ? value.toFixed(4) : value.toExponential(3);
}
