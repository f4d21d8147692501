/** Families of ops that have no place in an ONNX graph of fixed shape, and the way out of each. */
import type { OpTable, Refusal } from "./op-node.ts";

const refuse = (ops: string, refused: string, hint: string): OpTable => {
  const refusal: Refusal = { refused, hint };
  return Object.fromEntries(ops.split(" ").map((op) => [op, refusal]));
};

/** Refused ops, by what they do. */
export const REFUSED: OpTable = {
  ...refuse(
    "Enter Exit If LoopCond Merge NextIteration StatelessIf StatelessWhile Switch While",
    "it is control flow, which has no place in a graph of fixed shape",
    "Convert the model without its loops: export the part before them, and loop outside.",
  ),
  ...refuse(
    "EmptyTensorList TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 " +
      "TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 TensorListConcat TensorListConcatV2 " +
      "TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack " +
      "TensorListReserve TensorListResize TensorListScatter TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack",
    "it works on a list of tensors, which only loops need",
    "Convert the model with its loop unrolled (for a recurrent layer, unroll=True).",
  ),
  ...refuse(
    "HashTable HashTableV2 InitializeTable InitializeTableV2 LookupTableFind LookupTableFindV2 LookupTableImport " +
      "LookupTableImportV2 LookupTableSize LookupTableSizeV2",
    "it looks up a table of strings",
    "Look labels up outside of the model.",
  ),
  ...refuse(
    "StaticRegexReplace StringNGrams StringSplit StringToHashBucketFast",
    "it works on strings",
    "Turn the text into numbers before it goes into the model.",
  ),
  ...refuse(
    "ListDiff NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 Unique UniqueV2 Where",
    "how long its result is depends on the values",
    "Take the model's outputs before it, and choose among them outside.",
  ),
  ...refuse("LowerBound UpperBound", "ONNX has no search in a sorted list", "Compare with every bound and sum up."),
  ...refuse(
    "RaggedGather RaggedRange RaggedTensorToTensor SparseFillEmptyRows SparseReshape SparseSegmentMean SparseSegmentSum",
    "it works on sparse or ragged tensors",
    "Make them dense before they go into the model.",
  ),
  ...refuse(
    "FFT IFFT IRFFT RFFT",
    "its numbers are complex, which ONNX does not have",
    "Compute the spectrum outside of the model, or by a convolution with sines and cosines.",
  ),
  ...refuse(
    "SimpleMLCreateModelResource SimpleMLInferenceOpWithHandle SimpleMLLoadModelFromPathWithHandle",
    "it is a decision forest of another library",
    "Distil the forest into a network.",
  ),
  ...refuse(
    "BroadcastArgs",
    "it computes a shape from shapes",
    "Convert the model with fixed input shapes, all but the batch.",
  ),
};
