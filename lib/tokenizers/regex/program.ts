import type { NativeRegex } from '../../binding/native.ts';
import type { CodePointSet } from './code-point-set.ts';

/** Operations of the matcher, as in native/tokenizer/regex_program.h, where their operands are. */
export const operations = {
  match: 0,
  character: 1,
  class: 2,
  run: 3,
  jump: 4,
  split: 5,
  markPosition: 6,
  jumpIfEmpty: 7,
  atomic: 8,
  lookahead: 9,
  lookbehind: 10,
  groupEnd: 11,
  assert: 12,
  wordBoundary: 13,
} as const;

export const runModes = { greedy: 0, lazy: 1, possessive: 2 } as const;

export const assertions = { textStart: 0, textEnd: 1, textEndOrLastNewline: 2, lineStart: 3, lineEnd: 4 } as const;

/** What the matcher takes; native/tokenizer/regex_program.cc checks the same. */
export const maxInstructions = 1 << 16;
const maxClasses = 1024;
const maxRangeNumbers = 1 << 20;

const version = 1;
const operandsOfInstruction = 5;

/** Beyond this many, classes are made for what cannot do without one alone. */
const fewClasses = maxClasses / 2;

/** A program in the making; sets become numbered classes, equal ones the same. */
export class ProgramBuilder {
  private readonly instructions: number[][] = [];
  private readonly classes: CodePointSet[] = [];
  private readonly classNumbers = new Map<string, number>();
  private registers = 0;
  private memoSlots = 0;

  /** The number of the next instruction. */
  get next(): number {
    return this.instructions.length;
  }

  /** @returns the number of the instruction, whose operands `patch` can change */
  emit(operation: keyof typeof operations, ...operands: readonly number[]): number {
    this.instructions.push([operations[operation], ...operands]);
    return this.next - 1;
  }

  patch(instruction: number, operand: number, value: number): void {
    this.instructions[instruction]![operand + 1] = value;
  }

  newRegister(): number {
    return this.registers++;
  }

  newMemoSlot(): number {
    return this.memoSlots++;
  }

  classOf(set: CodePointSet): number {
    const key = set.join();
    let number = this.classNumbers.get(key);
    if (number === undefined) {
      number = this.classes.push(set) - 1;
      this.classNumbers.set(key, number);
    }
    return number;
  }

  /** A class that is of use and not needed: -1 for a new one where there are many. */
  optionalClassOf(set: CodePointSet): number {
    return this.classes.length < fewClasses || this.classNumbers.has(set.join()) ? this.classOf(set) : -1;
  }

  /** @returns undefined for a program that is larger than the matcher takes */
  finish(startClass: number, source: string): NativeRegex | undefined {
    const { classes, instructions } = this;
    const rangeNumbers = classes.length + 1 + classes.reduce((total, set) => total + set.length, 0);
    if (classes.length > maxClasses || rangeNumbers > maxRangeNumbers || instructions.length > maxInstructions) {
      return undefined;
    }
    const words = [version, classes.length, this.registers, this.memoSlots, startClass];
    const code = new Int32Array(words.length + instructions.length * (operandsOfInstruction + 1));
    code.set(words);
    instructions.forEach((instruction, i) => {
      code.set(instruction, words.length + i * (operandsOfInstruction + 1));
    });
    const ranges = new Uint32Array(rangeNumbers);
    let end = classes.length + 1;
    classes.forEach((set, i) => {
      ranges[i] = end;
      ranges.set(set, end);
      end += set.length;
    });
    ranges[classes.length] = end;
    return { code, ranges, source };
  }
}
