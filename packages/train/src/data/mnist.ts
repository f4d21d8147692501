/** MNIST (LeCun, Cortes and Burges): 60,000 and 10,000 gray digits of 28 x 28. */
import type { Dataset } from "./dataset.ts";
import { loadIdxDirectory } from "./idx-directory.ts";

/** Loads MNIST from the directory that has its idx files. */
export function loadMnist(directory: string): Promise<Dataset> {
  return loadIdxDirectory(directory, "mnist", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}
