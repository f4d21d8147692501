/**
 * A drawing as MNIST's digits are: what was drawn, scaled to fit 20 x 20, its centre of mass in the middle of 28 x 28. Models that were
 * trained on such digits know no others. Source: LeCun, Cortes and Burges, the MNIST database's description.
 */

const SIDE = 28;
const INNER = 20;

/** The drawing on a canvas of 28 x 28, or `undefined` while nothing is drawn. */
export function centreDigit(drawing: HTMLCanvasElement): HTMLCanvasElement | undefined {
  const { width, height } = drawing;
  const ink = inkOf(drawing.getContext("2d")!.getImageData(0, 0, width, height));
  if (ink === undefined) return undefined;
  const scale = INNER / Math.max(ink.right - ink.left, ink.bottom - ink.top);
  const result = document.createElement("canvas");
  result.width = SIDE;
  result.height = SIDE;
  const context = result.getContext("2d", { willReadFrequently: true })!;
  context.fillStyle = "#000";
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = "high";
  const [x, y] = [SIDE / 2 - ink.centreX * scale, SIDE / 2 - ink.centreY * scale];
  context.drawImage(drawing, x, y, width * scale, height * scale);
  return result;
}

interface Ink {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly centreX: number;
  readonly centreY: number;
}

/** Box and centre of mass of all that is not black. */
function inkOf({ data, width, height }: ImageData): Ink | undefined {
  let [left, right, top, bottom] = [width, 0, height, 0];
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const light = data[(y * width + x) * 4]!;
      if (light < 32) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
      mass += light;
      sumX += light * (x + 0.5);
      sumY += light * (y + 0.5);
    }
  }
  if (mass === 0) return undefined;
  return { left, right, top, bottom, centreX: sumX / mass, centreY: sumY / mass };
}
