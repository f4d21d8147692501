/** What a reader must know beside the table. */
import { bytes } from "./rows.ts";
import type { BenchReport, TargetReport } from "./schema.ts";

/** A sample shorter than so many steps of the clock is off by more than two percent, whatever was done to make it longer. */
const LEAST_STEPS = 50;

function isSaturated({ latency, resolution = 0 }: TargetReport): boolean {
  const { blocks = [], summary } = latency ?? {};
  // The first block may still have been made for a slower call.
  const short = blocks.filter(({ batch }) => summary!.p50 * batch < LEAST_STEPS * resolution);
  return 2 * short.length > blocks.length;
}

const WORDS: Readonly<Record<string, string>> = {
  hidden: "the page was hidden, and they were set aside",
  unfocused: "the page lost the focus",
  "pressure-serious": "the browser called the processor's load serious",
  "pressure-critical": "the browser called the processor's load critical",
};

/** What happened to a page in how many blocks. */
function noticedIn({ id, latency }: TargetReport): readonly string[] {
  const { blocks = [] } = latency ?? {};
  const found = [...new Set(blocks.flatMap(({ noticed = [] }) => noticed))];
  return found.map((what) => {
    const count = blocks.filter(({ noticed }) => noticed?.includes(what)).length;
    return `In ${count} of ${blocks.length} blocks of ${id} ${WORDS[what] ?? what}.`;
  });
}

/** Lines: references, what is invalid or failed and why, notes. */
export function footnotes({ targets, inputs, settings, runtimes = [], notes }: BenchReport): readonly string[] {
  const reference = targets.find(({ quality }) => quality?.reference !== undefined)?.quality?.reference;
  const energies = new Set(targets.flatMap(({ latency }) => latency?.energy?.assumption ?? []));
  const saturated = targets.filter(isSaturated);
  const batched = targets.filter(({ latency }) => latency?.blocks.some(({ batch }) => batch > 1));
  return [
    `Inputs: ${inputs.source}. Stop rule ${settings.rule}: at least ${settings.runs} runs and ${settings.milliseconds / 1000} s each, in turns by seed ${settings.seed}.`,
    ...(reference === undefined ? [] : [`"agrees" is with ${reference}.`]),
    ...[...energies].map((assumption) => `mJ: ${assumption}.`),
    ...(batched.length === 0
      ? []
      : [
          `Where the clock is too coarse for one call, a sample is the mean of several: ${batched.map(({ id }) => id).join("; ")}.`,
        ]),
    ...runtimes.map(({ runtime, files }) => {
      const sum = (size: "bytes" | "gzipBytes" | "brotliBytes"): string =>
        bytes(files.reduce((all, file) => all + file[size], 0));
      return `Beside the model a page fetches ${runtime}: ${sum("bytes")}, ${sum("gzipBytes")} after gzip, ${sum("brotliBytes")} after brotli (${files.map(({ name }) => name).join(", ")}).`;
    }),
    ...targets.flatMap(({ id, growth }) => {
      const { tensors = 0, wasmHeap = 0 } = growth ?? {};
      const more = [
        ...(tensors > 0 ? [`${tensors} tensors more`] : []),
        ...(wasmHeap > 0 ? [`${bytes(wasmHeap)} of WebAssembly's heap more`] : []),
      ];
      return more.length === 0
        ? []
        : [`GROWS ${id}: after its last call ${more.join(" and ")} than after its first block.`];
    }),
    ...targets.flatMap(noticedIn),
    ...saturated.map(
      ({ id, resolution }) =>
        `The clock of ${id} (steps of ${resolution!.toPrecision(2)} ms) is too coarse for its samples: differences of a few percent say nothing.`,
    ),
    ...targets.flatMap(({ id, latency }) =>
      latency?.invalid === undefined ? [] : [`INVALID ${id}: ${latency.invalid}.`],
    ),
    ...targets.flatMap(({ id, problem }) =>
      problem === undefined ? [] : [`FAILED ${id}: ${problem.message.replace(/\.$/, "")}. ${problem.hint}`],
    ),
    ...targets.flatMap(({ id, tiny }) =>
      tiny === undefined
        ? []
        : [
            `MLPerf Tiny, ${tiny.task} (not an official result) ${id}: ${tiny.inferencesPerSecond.toFixed(1)} inferences a second, the median of ${tiny.windows.length} windows; ${tiny.metric} ${tiny.quality === undefined ? "not measured" : tiny.quality.toFixed(3)}, target ${tiny.target}${tiny.passed === undefined ? "" : tiny.passed ? " reached" : " missed"}.`,
          ],
    ),
    ...notes.map(({ message }) => `Note: ${message}.`),
  ];
}
