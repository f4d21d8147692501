export { DistillateError, type DistillateErrorInit, isDistillateError } from "./errors.ts";
