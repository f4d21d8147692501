/** What a run tells while it goes on; also one line each in `events.jsonl`. */
export type PipelineEvent =
  | { readonly kind: "stage-start"; readonly stage: string }
  | { readonly kind: "stage-cached"; readonly stage: string }
  | { readonly kind: "stage-done"; readonly stage: string; readonly seconds: number }
  | {
      readonly kind: "step";
      readonly job: string;
      readonly step: number;
      readonly steps: number;
      readonly samples: number;
    }
  | {
      readonly kind: "epoch";
      readonly job: string;
      readonly epoch: number;
      readonly epochs: number;
      readonly losses: Readonly<Record<string, number>>;
      readonly validationAccuracy: number;
      readonly imagesPerSecond: number;
    }
  | { readonly kind: "progress"; readonly what: string; readonly done: number; readonly total: number }
  | { readonly kind: "note"; readonly code: string; readonly message: string };
