/** One bundle in one precision: what it says of the input, how long it took, how large it is, and why it runs where it runs. */
import { type Classification, load, type Model, type RuntimeEvent } from "@distillate/runtime-edge";

/** What a page knows of a bundle before it is loaded. */
export interface CardSource {
  readonly title: string;
  readonly url: string;
  readonly variant: Model["variant"]["id"];
}

/** A card of the page. */
export interface Card {
  readonly element: HTMLElement;
  /** Shows what the model says of an input, once it is loaded; of many inputs only the newest. */
  show(input: ImageData): void;
  clear(): void;
}

const BARS = 3;

/** Makes a card and starts loading its model. */
export function makeCard({ title, url, variant }: CardSource): Card {
  const element = document.createElement("article");
  element.className = "card";
  const heading = add(element, "h2", title);
  add(heading, "span", variant);
  const answer = add(element, "p", "…");
  answer.className = "answer none";
  const bars = add(element, "ol");
  bars.className = "bars";
  const progress = add(element, "progress");
  progress.className = "progress";
  progress.setAttribute("aria-label", `${title} ${variant} is loading`);
  const facts = add(element, "dl");
  facts.className = "facts";
  const [time, size, backend] = ["in the model", "size", "runs on"].map((name) => {
    add(facts, "dt", name);
    return add(facts, "dd", "–");
  });
  const details = add(element, "details");
  add(details, "summary", "Why, and what happened");
  const reasons = add(details, "ul");
  reasons.className = "reasons";
  let waiting: ImageData | undefined;
  let model: Model | undefined;

  const tell = (text: string): void => void add(reasons, "li", text);
  load(url, {
    variant,
    update: "always",
    queue: { policy: "latest" },
    onProgress: ({ received, total }) => {
      progress.max = total;
      progress.value = received;
    },
    onEvent: (event) => {
      const text = describe(event);
      if (text) tell(text);
    },
  }).then(
    async (loaded) => {
      // The first call is slower than all others, and would be the only one that a short visit sees.
      await loaded.warmup();
      model = loaded;
      progress.remove();
      const { chosen, selfTest, refused } = loaded.plan;
      size!.textContent = bytes(loaded.variant.file.bytes);
      backend!.textContent = `${chosen.backend}${chosen.threads > 1 ? `, ${chosen.threads} threads` : ""}`;
      tell(
        selfTest
          ? `self-test on this device: off by ${selfTest.difference.toPrecision(2)} at most, ${selfTest.median.toFixed(2)} ms a call`
          : "it brought no self-test",
      );
      for (const each of refused)
        tell(`not ${[each.variant, "on", each.backend].filter(Boolean).join(" ")}: ${each.reason}`);
      if (waiting) void run(loaded, waiting);
    },
    (error: unknown) => fail(error),
  );

  async function run(ready: Model, input: ImageData): Promise<void> {
    try {
      const result = await ready.run(input, { topK: BARS });
      if (waiting !== input) return;
      draw(result);
      const { latency } = ready.stats();
      if (latency) time!.textContent = `${latency.run.p50.toFixed(2)} ms`;
    } catch (error) {
      // A newer input took this one's place: its own answer follows.
      if ((error as { code?: string }).code !== "superseded" && waiting === input) fail(error);
    }
  }

  function draw({ label, top }: Classification): void {
    element.querySelector(".error")?.remove();
    element.setAttribute("aria-label", `${title} ${variant}: ${label}`);
    answer.textContent = label;
    answer.className = label.length > 4 ? "answer long" : "answer";
    bars.replaceChildren(
      ...top.map(({ label: name, score }) => {
        const bar = document.createElement("li");
        bar.style.setProperty("--share", String(score));
        add(bar, "span", name);
        add(bar, "span", `${(100 * score).toFixed(1)} %`);
        return bar;
      }),
    );
  }

  function fail(error: unknown): void {
    const { message, hint } = error as { message: string; hint?: string };
    progress.remove();
    const line = element.querySelector(".error") ?? add(element, "p");
    line.className = "error";
    line.textContent = [message, hint].filter(Boolean).join(" ");
  }

  return {
    element,
    show(input) {
      waiting = input;
      if (model) void run(model, input);
    },
    clear() {
      waiting = undefined;
      answer.textContent = "…";
      answer.className = "answer none";
      bars.replaceChildren();
    },
  };
}

/** What a person may want to know of an event; calls that went well are not it. */
function describe(event: RuntimeEvent): string | undefined {
  if (event.kind === "ready") return `ready on ${event.backend} after ${event.milliseconds.toFixed(0)} ms`;
  if (event.kind === "file") return `${event.file} from the ${event.from}, ${bytes(event.bytes)}`;
  if (event.kind === "run") return undefined;
  return "message" in event && event.message ? `${event.kind}: ${event.message}` : event.kind;
}

function bytes(count: number): string {
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

function add<Name extends keyof HTMLElementTagNameMap>(
  parent: Element,
  name: Name,
  text?: string,
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}
