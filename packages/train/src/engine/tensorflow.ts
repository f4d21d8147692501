import { DistillateError } from "@distillate/bundle";
export async function loadTensorflow(packageName: string): Promise<string> {
  throw new DistillateError({
    code: "engine-missing",
    message: `${packageName} is not installed`,
    hint: "Run `distillate engine install tensorflow`.",
  });
}
