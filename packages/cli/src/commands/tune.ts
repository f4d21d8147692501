import { textTable } from "@distillate/bench/node";
import { DistillateError } from "@distillate/bundle";
import type { Choice, Speed } from "../bench/choose-variants.ts";
import type { TuneOptions } from "../bench/measure-variants.ts";
import { tuneBundle } from "../bench/tune-bundle.ts";
import { type TunedModel, tuneFile } from "../bench/tune-file.ts";
import { createReporter } from "../ui/reporter.ts";

/** How a tuning is shown, and what a variant may lose. */
export interface TuneArgs {
  /** Points of accuracy. */
  readonly allowedDrop: number;
  readonly seed: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Tunes a bundle or a file and shows what was measured and chosen. */
export async function tune(subject: string | TunedModel, { allowedDrop, seed, json, quiet }: TuneArgs): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => (abort.signal.aborted ? process.exit(130) : abort.abort(interrupted()));
  process.on("SIGINT", interrupt);
  const reporter = createReporter({ json, quiet, stream: process.stdout, clock: () => performance.now() });
  const options: TuneOptions = {
    allowedDrop,
    seed,
    signal: abort.signal,
    onEvent: reporter.event,
  };
  try {
    const tuned = typeof subject === "string" ? await tuneBundle(subject, options) : await tuneFile(subject, options);
    reporter.close();
    const { report, ...found } = tuned;
    const notes = "leftOut" in tuned ? tuned.leftOut.map(({ variant, why }) => `${variant} was left out: ${why}`) : [];
    const files = "written" in tuned ? tuned.written : [];
    const lines = [textTable(report.targets), "", ...tuned.choices.flatMap(describe), ...notes, ...files];
    if (json) process.stdout.write(`${JSON.stringify(found)}\n`);
    else if (!quiet) process.stdout.write(`\n${lines.join("\n")}\n`);
  } finally {
    reporter.close();
    process.off("SIGINT", interrupt);
  }
}

function describe({ backend, variant, p50, speed, order, refused, unsure }: Choice): readonly string[] {
  const against = variant === "fp32" ? "" : `, ${speedText(speed)}`;
  const lost = refused.length === 0 ? "" : `; ${refused.join(", ")} lost too much accuracy`;
  const doubt = unsure ? " (INVALID measurements: take it as a hint)" : "";
  const places = order.map((one) => `${one.variant} ${one.p50.toPrecision(3)} ms (${one.speed[0].toFixed(2)})`);
  return [
    `${backend} shall run ${variant}: ${p50.toPrecision(3)} ms at the median${against}${lost}${doubt}`,
    `  the fastest first, speed by fp32's: ${places.join(", ")}`,
  ];
}

function speedText([estimate, low, high]: Speed): string {
  return `${estimate.toFixed(2)} times as fast as fp32 (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

function interrupted(): DistillateError {
  return new DistillateError({
    code: "interrupted",
    message: "the tuning was interrupted; bundle and files are as they were",
    hint: "Run the same command again.",
  });
}
