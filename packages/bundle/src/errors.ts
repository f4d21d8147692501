/**
 * The one error class of the project. Libraries throw it for everything a user can cause or mend; anything else that
 * surfaces is a defect.
 *
 * `message` says what was found, what was expected and where (file, line, tensor); `hint` is the way out.
 */

const MARK: symbol = Symbol.for("distillate.error");

/** What a {@link DistillateError} is made of; `code` is stable and safe to branch on, the words are not. */
export interface DistillateErrorInit<Code extends string = string> {
  readonly code: Code;
  readonly message: string;
  /** The way out: what to change or type next. */
  readonly hint: string;
  readonly cause?: unknown;
}

/** An error with a stable code, a message that says found / expected / where, and a hint that says the way out. */
export class DistillateError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly hint: string;

  constructor(init: DistillateErrorInit<Code>) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = "DistillateError";
    this.code = init.code;
    this.hint = init.hint;
    Object.defineProperty(this, MARK, { value: true });
  }
}

/** Tells whether a value is a {@link DistillateError}, also one made by another copy of this package. */
export function isDistillateError(value: unknown): value is DistillateError {
  return typeof value === "object" && value !== null && MARK in value;
}
