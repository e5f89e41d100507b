import type { ProblemBody } from './protocol';

/** Codes of our own, for what never reached the server. */
export type LocalCode = 'offline' | 'timeout' | 'unreachable';

/** Refusals that another try may not meet. */
const PASSING: ReadonlySet<string> = new Set(['unreachable', 'offline', 'timeout', 'draining', 'failed']);

/** Why something was not done: the server's problem, or one of {@link LocalCode}. */
export class Problem extends Error {
  override readonly name = 'Problem';
  /** Stable, for programs. */
  readonly code: string;
  /** For people, in their language; empty where the server had no say. */
  readonly title: string;
  /** What exactly is to be changed, for people; often empty. */
  readonly detail: string;
  /** When a meeting that has not begun lets one in, in milliseconds since 1970; null where one may not know. */
  readonly opensMs: number | null;
  /** Seconds until another try makes sense. */
  readonly retryAfter: number | null;

  constructor(problem: ProblemBody, retryAfter: number | null = null) {
    super(problem.title ? `${problem.code}: ${problem.title}` : problem.code);
    this.code = problem.code;
    this.title = problem.title;
    this.detail = problem.detail ?? '';
    this.opensMs = problem.opens_ms ?? null;
    this.retryAfter = retryAfter;
  }

  /** Another try may not meet it. */
  get isPassing(): boolean {
    return PASSING.has(this.code);
  }

  static local(code: LocalCode): Problem {
    return new Problem({ code, title: '' });
  }

  /** Whatever was thrown, as a problem. */
  static from(thrown: unknown): Problem {
    if (thrown instanceof Problem) return thrown;
    console.error(thrown);
    return new Problem({ code: 'failed', title: '' });
  }
}
