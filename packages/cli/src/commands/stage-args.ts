/** Flags of the commands that run the pipeline; apart from it, so that a command which only shows them loads nothing else. */

/** What all of them take. */
export const STAGE_ARGS = {
  recipe: {
    type: "positional",
    required: false,
    description: "A built-in recipe, or the path of a configuration file; none with --data",
  },
  data: { type: "string", description: "Directory of the data set", valueHint: "DIR" },
  out: { type: "string", description: "Run directory (runs/NAME by default)", valueHint: "DIR" },
  seed: { type: "string", description: "One seed instead of the recipe's", valueHint: "N" },
  teacher: {
    type: "string",
    description: "A teacher that is there: model.json of a tfjs model, or an .onnx classifier",
    valueHint: "FILE",
  },
  engine: { type: "string", description: "tensorflow-gpu, tensorflow, wasm or auto", valueHint: "NAME" },
  workers: {
    type: "string",
    description:
      "Threads of the wasm engine that share a training's work (the cores, divided among networks that train at once)",
    valueHint: "N",
  },
  set: { type: "string", description: "Change values of the configuration: a.b=1,c.d=[2,3]", valueHint: "PATH=VALUE" },
  profile: { type: "boolean", description: "Train nothing: show where a step's time goes, by operation and layer" },
  json: { type: "boolean", description: "JSON lines instead of text; the result is the last" },
  quiet: { type: "boolean", description: "Say nothing but errors" },
  debug: { type: "boolean", description: "Show the stack of an error" },
} as const;

/** What those take that end in a bundle. */
export const TUNE_ARGS = {
  tune: {
    type: "boolean",
    description:
      "Measure the variants of a bundle or a file, those of stored weights too, on every backend that is here, and say which runs which",
  },
} as const;
