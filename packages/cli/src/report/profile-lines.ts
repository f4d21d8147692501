import type { RunProfile } from "../pipeline/profile-run.ts";

const MOST_OPS = 15;

/** A profile as text: two tables, operations and layers, in milliseconds a step. */
export function describeProfile(profile: RunProfile): string {
  const { engine, model, batchSize, milliseconds, captured, javascript, fallbacks, ops, layers } = profile;
  const share = (part: number): string => `${((100 * part) / milliseconds).toFixed(1)} %`;
  const spent = (part: number): string => part.toFixed(3);
  const rest = ops.slice(MOST_OPS);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
  const op = (name: string, calls: number, part: number): string[] => [name, String(calls), spent(part), share(part)];
  const others = op(
    `${rest.length} others`,
    sum(rest.map((each) => each.calls)),
    sum(rest.map((each) => each.milliseconds)),
  );
  const rows = [
    ...ops.slice(0, MOST_OPS).map((each) => op(each.name, each.calls, each.milliseconds)),
    ...(rest.length === 0 ? [] : [others]),
    ["outside of operations", "", spent(javascript), share(javascript)],
  ];
  const places = layers
    .filter(({ forward, backward }) => forward + backward > 0)
    .map(({ name, forward, backward }) => [name, spent(forward), spent(backward), share(forward + backward)]);
  return [
    `${model} on ${engine.name} ${engine.version}, batches of ${batchSize}: ${milliseconds.toFixed(2)} ms a step, operation by operation`,
    ...(captured === undefined ? [] : [`captured, as it trains: ${captured.toFixed(2)} ms a step`]),
    ...fallbacks.map(({ op, reason }) => `not captured${op ? ` at ${op}` : ""}: ${reason}`),
    "",
    ...aligned([["operation", "calls", "ms", "share"], ...rows]),
    "",
    ...aligned([["layer", "forward ms", "backward ms", "share"], ...places]),
    "",
  ].join("\n");
}

/** The first column to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
}
