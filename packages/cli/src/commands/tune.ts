import { textTable } from "@distillate/bench/node";
import { DistillateError } from "@distillate/bundle";
import type { Choice } from "../bench/choose-variants.ts";
import { tuneBundle } from "../bench/tune-bundle.ts";
import { createReporter } from "../ui/reporter.ts";

/** How a tuning is shown, and what a variant may lose. */
export interface TuneArgs {
  /** Points of accuracy. */
  readonly allowedDrop: number;
  readonly seed: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Tunes a bundle and shows what was measured and chosen. */
export async function tune(bundle: string, { allowedDrop, seed, json, quiet }: TuneArgs): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => (abort.signal.aborted ? process.exit(130) : abort.abort(interrupted()));
  process.on("SIGINT", interrupt);
  const reporter = createReporter({ json, quiet, stream: process.stdout, clock: () => performance.now() });
  try {
    const { choices, report, variants } = await tuneBundle(bundle, {
      allowedDrop,
      seed,
      signal: abort.signal,
      onEvent(event) {
        if (event.kind === "problem")
          reporter.event({ kind: "note", code: "target-failed", message: `${event.target}: ${event.message}` });
        else if (event.kind !== "phase") reporter.event(event);
      },
    });
    reporter.close();
    if (json) process.stdout.write(`${JSON.stringify({ choices, variants })}\n`);
    else if (!quiet)
      process.stdout.write(`\n${[textTable(report.targets), "", ...choices.map(describe)].join("\n")}\n`);
  } finally {
    reporter.close();
    process.off("SIGINT", interrupt);
  }
}

function describe({ backend, variant, p50, speed: [estimate, low, high], refused, unsure }: Choice): string {
  const against =
    variant === "fp32"
      ? ""
      : `, ${estimate.toFixed(2)} times as fast as fp32 (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const lost = refused.length === 0 ? "" : `; ${refused.join(", ")} lost too much accuracy`;
  const doubt = unsure ? " (INVALID measurements: take it as a hint)" : "";
  return `${backend} shall run ${variant}: ${p50.toPrecision(3)} ms at the median${against}${lost}${doubt}`;
}

function interrupted(): DistillateError {
  return new DistillateError({
    code: "interrupted",
    message: "the tuning was interrupted; the manifest is as it was",
    hint: "Run the same command again.",
  });
}
