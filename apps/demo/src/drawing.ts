/** A canvas to draw on with finger, pen or mouse: white on black. */

/** Something to draw on. */
export interface Drawing {
  readonly canvas: HTMLCanvasElement;
  clear(): void;
}

/** Makes a canvas one; `onStroke` is called while a line is drawn, and when it ends. */
export function drawOn(canvas: HTMLCanvasElement, onStroke: () => void): Drawing {
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const clear = (): void => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  clear();
  let last: readonly [number, number] | undefined;
  /** One finger draws; a second one is no part of its line. */
  let drawer: number | undefined;
  const place = (event: PointerEvent): readonly [number, number] => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height,
    ];
  };
  const line = (from: readonly [number, number], to: readonly [number, number]): void => {
    context.strokeStyle = "#fff";
    context.lineWidth = 20;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || drawer !== undefined) return;
    drawer = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    line(last, last);
    onStroke();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === undefined || event.pointerId !== drawer) return;
    // Between two events a fast hand draws more than one line.
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const next = place(each);
      line(last, next);
      last = next;
    }
    onStroke();
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(end, ({ pointerId }) => {
      if (pointerId !== drawer) return;
      drawer = undefined;
      last = undefined;
      onStroke();
    });
  }
  return { canvas, clear };
}
