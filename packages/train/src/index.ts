export { writeError, writeFileAtomic } from "./atomic-write.ts";
export { cacheDirectory } from "./cache-directory.ts";
export {
  artifactsOf,
  CHECKPOINT_FILES,
  type Checkpoint,
  type CheckpointInfo,
  loadModel,
  type Role,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.ts";
export type { Teacher } from "./compiled-training.ts";
export {
  type AugmentConfig,
  type BroughtTeacherConfig,
  type DataConfig,
  defineRun,
  type ModelConfig,
  type NetworkConfig,
  type OneTeacherConfig,
  parseConfig,
  type RunConfig,
  type RunConfigInput,
  type TableTeacherConfig,
  type TrainingConfig,
} from "./config.ts";
export { isAugmenting } from "./data/augment.ts";
export { type Batch, batches } from "./data/batches.ts";
export type { DataEvent, DataNote, Dataset, Images, LoadOptions } from "./data/dataset.ts";
export type { BatchOptions } from "./data/draw-batches.ts";
export { type FashionMnistOptions, loadFashionMnist } from "./data/fashion-mnist.ts";
export { loadIdxDirectory } from "./data/idx-directory.ts";
export type { ImageTarget } from "./data/image-files.ts";
export { type ImageFolderOptions, loadImageFolder } from "./data/image-folder.ts";
export { type LearningSet, learningSetOf, onLabelsAlone } from "./data/learning-set.ts";
export { loadMnist } from "./data/mnist.ts";
export { hideLabels, type Labelling, type Split, splitTrainValidation } from "./data/split.ts";
export { loadUnlabelled, type Unlabelled } from "./data/unlabelled-folder.ts";
export { checkDistillation } from "./distill/check.ts";
export { type GuideOptions, guide, guideByBrought } from "./distill/guide.ts";
export { objectiveOf } from "./distill/objective.ts";
export {
  type BringPlan,
  finalOf,
  lastGuided,
  type MeanPlan,
  type NetworkPlan,
  planNetworks,
  type Speaker,
  type TablePlan,
  type TrainPlan,
} from "./distill/plan.ts";
export type { TappedModel } from "./distill/taps.ts";
export { cachedTeacher, meanTeacher, tableTeacher } from "./distill/teacher-cache.ts";
export { type BroughtTeacher, bringTeacher, openTeacher } from "./distill/teachers/bring.ts";
export { checkAccuracy } from "./distill/teachers/check-teacher.ts";
export type { Classifier } from "./distill/teachers/classifier.ts";
export { fingerprintOf } from "./distill/teachers/fingerprint.ts";
export { type ReadTable, readTable, type TableData, type TableTeacher } from "./distill/teachers/table.ts";
export { atTemperature } from "./distill/temperature.ts";
export { type ViewStore, viewedTeacher } from "./distill/viewed-teacher.ts";
export {
  type CompiledStep,
  type CompileOptions,
  compileStep,
  type Fallback,
  type Feed,
  type StepStats,
  type Tensors,
} from "./engine/capture/compile-step.ts";
export { type Installed, type InstallOptions, installTensorflow } from "./engine/install-tensorflow.ts";
export { ENGINE_NAMES, type Engine, type EngineName, selectEngine } from "./engine/select.ts";
export { type EngineStatus, engineStatus } from "./engine/status.ts";
export {
  accuracyOf,
  compareToTeacher,
  type Fidelity,
  type Logits,
  type Metrics,
  measure,
  predictLogits,
} from "./evaluate.ts";
export {
  type EpochRecord,
  removeTrainingState,
  type TrainingEvent,
  type TrainOptions,
  type TrainResult,
  trainModel,
} from "./loop.ts";
export type { DistillConfig, Scheduled } from "./losses/config.ts";
export {
  type Labels,
  LOSSES,
  type LossInput,
  type LossName,
  type LossTerm,
  type Outputs,
  type Tap,
  type TermOf,
} from "./losses/index.ts";
export { freezeLayers } from "./models/freeze.ts";
export { buildModel } from "./models/index.ts";
export { type PairedDifference, pairedDifference, rightOf } from "./paired-difference.ts";
export type { ProfiledLayer, ProfiledOp } from "./profile.ts";
export { type ProfileTrainingOptions, profileTraining, type TrainingProfile } from "./profile-training.ts";
export { type LearntRange, type QuantizeAware, quantizeAware } from "./quantize-aware/quantize-aware.ts";
export { nextUnit, randomFor } from "./random.ts";
export { type ModelArtifacts, readTfjsModel } from "./read-tfjs-model.ts";
export type { Workers } from "./start-training.ts";
