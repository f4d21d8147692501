/**
 * Keeps tfjs variables and their copies inside sessions together.
 *
 * A session that changed a variable owns its value until somebody reads it: then the value is fetched into the very record that
 * tfjs knows, so that every reference to the variable sees it. Writing is seen from the other side: a variable that JavaScript
 * (or another session) gave a new value has a new native id.
 */
import type { TensorflowBackend } from "./binding.ts";

/** Holds newer values than tfjs does. */
export interface Owner {
  /** Brings tfjs' records up to date. */
  sync(): void;
}

const owners = new WeakMap<object, Owner>();
const raw = new WeakMap<TensorflowBackend, TensorflowBackend["getInputTensorIds"]>();

/** From here on the newest value of `dataId` is with `owner`. */
export function own(backend: TensorflowBackend, dataId: object, owner: Owner): void {
  rawIds(backend);
  owners.set(dataId, owner);
}

/** Makes tfjs' record the newest, unless its newest value is with `self`. */
export function fetchFromOthers(dataId: object, self?: Owner): void {
  const owner = owners.get(dataId);
  if (owner !== undefined && owner !== self) owner.sync();
}

/** Native id of a tensor's record as it is, which may be older than what its owner has. */
export function idOf(backend: TensorflowBackend, tensor: { readonly dataId: object }): number {
  return rawIds(backend).call(backend, [tensor as Parameters<TensorflowBackend["getInputTensorIds"]>[0][number]])[0]!;
}

/** The three ways in which tfjs reads a record: as an op's input, by JavaScript, and by a clone that shares it. */
function rawIds(backend: TensorflowBackend): TensorflowBackend["getInputTensorIds"] {
  const known = raw.get(backend);
  if (known) return known;
  const { getInputTensorIds, readSync, incRef } = backend;
  raw.set(backend, getInputTensorIds);
  backend.getInputTensorIds = (tensors) => {
    for (const { dataId } of tensors) if (dataId) owners.get(dataId)?.sync();
    return getInputTensorIds.call(backend, tensors);
  };
  backend.readSync = (dataId) => {
    owners.get(dataId)?.sync();
    return readSync.call(backend, dataId);
  };
  backend.incRef = (dataId) => {
    owners.get(dataId)?.sync();
    incRef.call(backend, dataId);
  };
  return getInputTensorIds;
}
