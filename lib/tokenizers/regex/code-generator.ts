import type { NativeRegex } from '../../binding/native.ts';
import { type CodePointSet, emptySet, intersection, onlyCodePoint, union } from './code-point-set.ts';
import { type LoweredNode, matchLength } from './lowering.ts';
import { assertions, maxInstructions, ProgramBuilder, runModes } from './program.ts';

/**
 * The program of a regular expression.
 *
 * @returns undefined where it would be larger than the matcher takes
 */
export function generateProgram(node: LoweredNode, source: string): NativeRegex | undefined {
  if (programSize(node) >= maxInstructions) return undefined;
  return new CodeGenerator().generate(node, source);
}

/** What a part of an expression can begin with. */
interface Start {
  /** Characters that it may consume first; undefined: not known. */
  readonly set: CodePointSet | undefined;
  /** Whether it may succeed without consuming any. */
  readonly nullable: boolean;
  /** Whether it succeeds everywhere. */
  readonly certain: boolean;
}

/** What follows a group whose first success counts, and the whole expression. */
const success: Start = { set: emptySet, nullable: true, certain: true };
const unknown: Start = { set: undefined, nullable: true, certain: false };
const zeroWidth: Start = { set: emptySet, nullable: true, certain: false };

/** Larger sets cost more than they bring. */
const maxStartNumbers = 4096;

/** How many instructions a node takes, but for a few. */
function programSize(node: LoweredNode): number {
  switch (node.type) {
    case 'sequence':
      return node.items.reduce((size, item) => size + programSize(item), 0);
    case 'alternation':
      return node.branches.reduce((size, branch) => size + programSize(branch) + 2, 0);
    case 'repeat':
      if (node.body.type === 'set') return 1;
      return copiesOf(node.min, node.max) * (programSize(node.body) + 1) + 4;
    case 'atomic':
    case 'lookahead':
    case 'lookbehind':
      return programSize(node.body) + 2;
    default:
      return 1;
  }
}

function copiesOf(min: number, max: number): number {
  return max === Number.POSITIVE_INFINITY ? min + 1 : max;
}

class CodeGenerator {
  private readonly builder = new ProgramBuilder();
  private readonly starts = new Map<LoweredNode, Start>();
  /** Whether the matcher may remember failures here: whether they depend on the instruction and the position alone. */
  private remembers = true;

  generate(node: LoweredNode, source: string): NativeRegex | undefined {
    const { builder } = this;
    this.emit(node, success);
    builder.emit('match');
    return builder.finish(this.guard(this.startOf(node)), source);
  }

  private emit(node: LoweredNode, follow: Start): void {
    const { builder } = this;
    switch (node.type) {
      case 'set': {
        const codePoint = onlyCodePoint(node.set);
        if (codePoint === undefined) builder.emit('class', builder.classOf(node.set));
        else builder.emit('character', codePoint);
        return;
      }
      case 'sequence':
        this.emitSequence(node.items, follow);
        return;
      case 'alternation':
        this.emitAlternation(node.branches, follow);
        return;
      case 'repeat':
        this.emitRepeat(node, follow);
        return;
      case 'atomic':
        this.emitAtomic(node.body);
        return;
      case 'lookahead':
      case 'lookbehind':
        this.emitLookaround(node);
        return;
      case 'assertion':
        builder.emit('assert', assertions[node.assertion]);
        return;
      case 'wordBoundary':
        builder.emit('wordBoundary', node.negative ? 1 : 0, builder.classOf(node.word));
        return;
    }
  }

  private emitSequence(items: readonly LoweredNode[], follow: Start): void {
    const follows = new Array<Start>(items.length);
    let behind = follow;
    for (let i = items.length - 1; i >= 0; i--) {
      follows[i] = behind;
      behind = concatenate(this.startOf(items[i]!), behind);
    }
    items.forEach((item, i) => {
      this.emit(item, follows[i]!);
    });
  }

  private emitAlternation(branches: readonly LoweredNode[], follow: Start): void {
    const { builder } = this;
    const jumps: number[] = [];
    branches.forEach((branch, i) => {
      if (i === branches.length - 1) {
        this.emit(branch, follow);
        return;
      }
      const split = this.emitSplit(concatenate(this.startOf(branch), follow));
      this.emit(branch, follow);
      jumps.push(builder.emit('jump', 0));
      builder.patch(split, 1, builder.next);
    });
    for (const jump of jumps) builder.patch(jump, 0, builder.next);
  }

  /** A split that tries the next instruction, which starts with `start`, first; where else to go is patched in. */
  private emitSplit(start: Start): number {
    const { builder } = this;
    return builder.emit('split', builder.next + 1, 0, this.memoSlot(), this.guard(start));
  }

  private memoSlot(): number {
    return this.remembers ? this.builder.newMemoSlot() : -1;
  }

  private guard(start: Start): number {
    return start.nullable || start.set === undefined ? -1 : this.builder.optionalClassOf(start.set);
  }

  private emitRepeat(node: Extract<LoweredNode, { type: 'repeat' }>, follow: Start): void {
    const { body, min, max } = node;
    if (body.type === 'set') {
      this.emitRun(body.set, node, follow);
      return;
    }
    if (node.mode === 'possessive') {
      this.emitAtomic({ ...node, mode: 'greedy' });
      return;
    }
    const afterBody = { ...either(this.startOf(body), follow), certain: follow.certain };
    for (let i = 1; i < min; i++) this.emit(body, { ...afterBody, certain: false });
    if (min > 0) this.emit(body, max === min ? follow : afterBody);
    if (max === Number.POSITIVE_INFINITY) this.emitLoop(node, follow, afterBody);
    else this.emitOptionals(node, follow, afterBody);
  }

  private emitRun(
    set: CodePointSet,
    { min, max, mode }: Extract<LoweredNode, { type: 'repeat' }>,
    follow: Start,
  ): void {
    const { builder } = this;
    const limit = max === Number.POSITIVE_INFINITY ? -1 : max;
    const keepsAll = mode === 'possessive' || (mode === 'greedy' && cannotUseLess(set, follow));
    const runMode = keepsAll ? runModes.possessive : runModes[mode];
    builder.emit('run', builder.classOf(set), min, limit, runMode, this.memoSlot());
  }

  /** As often as possible, or with `lazy` as rarely; an iteration that consumes nothing is the last. */
  private emitLoop(node: Extract<LoweredNode, { type: 'repeat' }>, follow: Start, afterBody: Start): void {
    const { builder } = this;
    const { body, mode } = node;
    const isNullable = this.startOf(body).nullable;
    const register = isNullable ? builder.newRegister() : -1;
    const split = this.emitChoice(mode, concatenate(this.startOf(body), afterBody), follow);
    if (isNullable) builder.emit('markPosition', register);
    this.emit(body, isNullable ? unknown : afterBody);
    const check = isNullable ? builder.emit('jumpIfEmpty', register, 0) : -1;
    builder.emit('jump', split);
    if (isNullable) builder.patch(check, 1, builder.next);
    this.patchChoice(split, mode);
  }

  /** `max - min` more times, each only after the one before. */
  private emitOptionals(node: Extract<LoweredNode, { type: 'repeat' }>, follow: Start, afterBody: Start): void {
    const { body, min, max, mode } = node;
    const splits: number[] = [];
    for (let i = min; i < max; i++) {
      splits.push(this.emitChoice(mode, concatenate(this.startOf(body), afterBody), follow));
      this.emit(body, i === max - 1 ? follow : afterBody);
    }
    for (const split of splits) this.patchChoice(split, mode);
  }

  /** Chooses between the next instruction and what `patchChoice` says. */
  private emitChoice(mode: 'greedy' | 'lazy' | 'possessive', body: Start, follow: Start): number {
    const split = this.emitSplit(mode === 'lazy' ? follow : body);
    if (mode === 'lazy') {
      this.builder.patch(split, 0, 0);
      this.builder.patch(split, 1, split + 1);
    }
    return split;
  }

  private patchChoice(split: number, mode: 'greedy' | 'lazy' | 'possessive'): void {
    this.builder.patch(split, mode === 'lazy' ? 0 : 1, this.builder.next);
  }

  private emitAtomic(body: LoweredNode): void {
    const { builder } = this;
    builder.emit('atomic', this.forgets(body));
    this.emit(body, success);
    builder.emit('groupEnd');
  }

  private emitLookaround(node: Extract<LoweredNode, { type: 'lookahead' | 'lookbehind' }>): void {
    const { builder } = this;
    const { body, negative, type } = node;
    const start = builder.emit(type, negative ? 1 : 0, 0);
    if (type === 'lookbehind') {
      const { min, max } = matchLength(body);
      builder.patch(start, 2, Math.min(min, maxLookbehind));
      builder.patch(start, 3, max > maxLookbehind ? -1 : max);
      this.emitUnremembered(body);
    } else {
      builder.patch(start, 2, this.forgets(body));
      this.emit(body, success);
    }
    builder.emit('groupEnd');
    builder.patch(start, 1, builder.next);
  }

  /**
   * Whether the matcher has to forget failures when a group succeeds: inside a loop over something that may be empty, a
   * failure may owe itself to the way there, which matters as soon as the whole of it is no failure.
   */
  private forgets(body: LoweredNode): number {
    return hasEmptyChecks(body, this) ? 1 : 0;
  }

  /** What a lookbehind looks for fails or not by where it looks from. */
  private emitUnremembered(body: LoweredNode): void {
    const before = this.remembers;
    this.remembers = false;
    this.emit(body, unknown);
    this.remembers = before;
  }

  startOf(node: LoweredNode): Start {
    let start = this.starts.get(node);
    if (start === undefined) {
      start = this.computeStart(node);
      this.starts.set(node, start);
    }
    return start;
  }

  private computeStart(node: LoweredNode): Start {
    switch (node.type) {
      case 'set':
        return { set: node.set, nullable: false, certain: false };
      case 'sequence':
        return node.items.reduceRight((behind, item) => concatenate(this.startOf(item), behind), success);
      case 'alternation':
        return node.branches.map((branch) => this.startOf(branch)).reduce(either);
      case 'repeat': {
        const body = this.startOf(node.body);
        return node.min > 0 ? body : { set: body.set, nullable: true, certain: true };
      }
      case 'atomic':
        return this.startOf(node.body);
      default:
        return zeroWidth;
    }
  }
}

/** Int32's end; more than any text has. */
const maxLookbehind = 0x7fffffff;

function concatenate(first: Start, behind: Start): Start {
  if (!first.nullable) return { set: first.set, nullable: false, certain: first.certain && behind.certain };
  return {
    set: unionOf(first.set, behind.set),
    nullable: behind.nullable,
    certain: first.certain && behind.certain,
  };
}

function either(a: Start, b: Start): Start {
  return { set: unionOf(a.set, b.set), nullable: a.nullable || b.nullable, certain: a.certain || b.certain };
}

function unionOf(a: CodePointSet | undefined, b: CodePointSet | undefined): CodePointSet | undefined {
  if (a === undefined || b === undefined) return undefined;
  const both = union(a, b);
  return both.length > maxStartNumbers ? undefined : both;
}

/** Whether a run over the set never helps what follows by giving characters back. */
function cannotUseLess(set: CodePointSet, follow: Start): boolean {
  if (follow.certain) return true;
  return !follow.nullable && follow.set !== undefined && intersection(set, follow.set).length === 0;
}

/** Whether a loop in it may go through its body without consuming anything. */
function hasEmptyChecks(node: LoweredNode, generator: CodeGenerator): boolean {
  switch (node.type) {
    case 'sequence':
      return node.items.some((item) => hasEmptyChecks(item, generator));
    case 'alternation':
      return node.branches.some((branch) => hasEmptyChecks(branch, generator));
    case 'repeat':
      if (node.max === Number.POSITIVE_INFINITY && generator.startOf(node.body).nullable) return true;
      return hasEmptyChecks(node.body, generator);
    case 'atomic':
    case 'lookahead':
    case 'lookbehind':
      return hasEmptyChecks(node.body, generator);
    default:
      return false;
  }
}
