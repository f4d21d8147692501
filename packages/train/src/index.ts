export { writeError, writeFileAtomic } from "./atomic-write.ts";
export {
  type AugmentConfig,
  type DataConfig,
  type DistillConfig,
  defineRun,
  type ModelConfig,
  parseConfig,
  type RunConfig,
  type RunConfigInput,
  type TrainingConfig,
} from "./config.ts";
