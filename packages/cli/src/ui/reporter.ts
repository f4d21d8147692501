import type { PipelineEvent } from "../events.ts";

/** How events are shown. */
export interface ReporterOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly stream: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
  /** Milliseconds. */
  readonly clock: () => number;
}

/** Shows a run's events. */
export interface Reporter {
  event(event: PipelineEvent): void;
  /** Clears the progress line, if there is one. */
  close(): void;
}

interface Progress {
  readonly since: number;
  readonly fromStep: number;
  step: number;
  steps: number;
  samples: number;
}

const REFRESH = 200;

/** Makes a reporter: JSON lines, or plain lines with one line of progress (share, rate, time left) on a terminal. */
export function createReporter({ json, quiet, stream, clock }: ReporterOptions): Reporter {
  const jobs = new Map<string, Progress>();
  const live = stream.isTTY === true && !json && !quiet;
  let shown = 0;
  let drawn = "";
  const clear = (): void => {
    if (drawn !== "") stream.write("\r\u001b[2K");
    drawn = "";
  };
  const draw = (): void => {
    if (!live || clock() - shown < REFRESH) return;
    shown = clock();
    clear();
    drawn = [...jobs].map(([job, progress]) => describe(job, progress, clock())).join("   ");
    stream.write(drawn);
  };
  const line = (text: string): void => {
    clear();
    stream.write(`${text}\n`);
  };
  return {
    close: clear,
    event(event) {
      if (quiet) return;
      if (json)
        return void (event.kind !== "step" && event.kind !== "progress" && stream.write(`${JSON.stringify(event)}\n`));
      switch (event.kind) {
        case "stage-start":
          return line(`· ${event.stage}`);
        case "stage-cached":
          return line(`✓ ${event.stage} (already there)`);
        case "stage-done":
          jobs.delete(event.stage);
          return line(`✓ ${event.stage} in ${event.seconds.toFixed(1)} s`);
        case "note":
          return line(`! ${event.message}`);
        case "epoch":
          return line(
            `  ${event.job}  epoch ${event.epoch}/${event.epochs}  loss ${event.losses.total?.toFixed(4)}  ` +
              `validation ${(100 * event.validationAccuracy).toFixed(2)} %  ${Math.round(event.imagesPerSecond)} images/s`,
          );
        case "progress":
          if (!live) return;
          clear();
          drawn = `${event.what}: ${event.done} of ${event.total}`;
          return void stream.write(drawn);
        case "step": {
          const progress = jobs.get(event.job) ?? {
            since: clock(),
            fromStep: event.step - 1,
            step: 0,
            steps: 0,
            samples: 0,
          };
          progress.step = event.step;
          progress.steps = event.steps;
          progress.samples += event.samples;
          jobs.set(event.job, progress);
          return draw();
        }
      }
    },
  };
}

function describe(job: string, { since, fromStep, step, steps, samples }: Progress, now: number): string {
  const seconds = Math.max(0.001, (now - since) / 1000);
  const left = ((steps - step) * seconds) / Math.max(1, step - fromStep);
  return `${job} ${Math.floor((100 * step) / steps)} % ${Math.round(samples / seconds)} images/s, ${Math.ceil(left)} s left`;
}
