import type { TrainingEvent } from "@distillate/train";
import type { PipelineEvent } from "../events.ts";

/** What a training tells, as the run tells it. */
export function pipelineEvent(job: string, event: TrainingEvent): PipelineEvent {
  switch (event.kind) {
    case "step":
      return { job, ...event };
    case "epoch": {
      const { record, epochs, imagesPerSecond } = event;
      const { epoch, losses, validationAccuracy } = record;
      return { kind: "epoch", job, epoch, epochs, losses, validationAccuracy, imagesPerSecond };
    }
    case "eager": {
      const { op, reason, suspectSteps } = event.fallback;
      const place = op === undefined ? "" : ` at ${op}`;
      const doubt = suspectSteps === undefined ? "" : ` (the ${suspectSteps} steps before may have missed it)`;
      return { kind: "note", code: "eager", message: `${job} is not captured${place}: ${reason}${doubt}` };
    }
    case "workers": {
      const { count, wanted, reason } = event.workers;
      const why = reason === undefined ? "" : `, not ${wanted}: ${reason}`;
      return {
        kind: "note",
        code: "workers",
        message: `${job} is trained by ${count} worker${count === 1 ? "" : "s"}${why}`,
      };
    }
    case "prefetch-lost":
      return {
        kind: "note",
        code: event.kind,
        message: `${job} makes its batches itself: its thread is gone, ${event.reason}`,
      };
    case "resumed":
      return { kind: "note", code: "resumed", message: `${job} goes on at step ${event.step}` };
  }
}
