/**
 * The part of ONNX' protobuf schema that we write and read: field numbers and how each is encoded. Source: onnx.proto, IR
 * version 8.
 *
 * A field's kind is a scalar, or the name of another message; `repeated` numbers are packed. A field that is not here is passed
 * over by the reader, so what would change a model's meaning is here to be refused by name.
 */

/** How one field is encoded. */
export interface Field {
  readonly number: number;
  readonly kind: "int64" | "float" | "string" | "bytes" | MessageName;
  readonly repeated?: boolean;
}

const MODEL = {
  irVersion: { number: 1, kind: "int64" },
  producerName: { number: 2, kind: "string" },
  producerVersion: { number: 3, kind: "string" },
  docString: { number: 6, kind: "string" },
  graph: { number: 7, kind: "Graph" },
  opsetImport: { number: 8, kind: "OperatorSet", repeated: true },
  metadataProps: { number: 14, kind: "StringEntry", repeated: true },
  functions: { number: 25, kind: "bytes", repeated: true },
} as const;

/** All messages by name, all fields by name. */
export const MESSAGES: { readonly [name: string]: { readonly [field: string]: Field } } = {
  Model: MODEL,
  OperatorSet: { domain: { number: 1, kind: "string" }, version: { number: 2, kind: "int64" } },
  StringEntry: { key: { number: 1, kind: "string" }, value: { number: 2, kind: "string" } },
  Graph: {
    node: { number: 1, kind: "Node", repeated: true },
    name: { number: 2, kind: "string" },
    initializer: { number: 5, kind: "Tensor", repeated: true },
    input: { number: 11, kind: "ValueInfo", repeated: true },
    output: { number: 12, kind: "ValueInfo", repeated: true },
    valueInfo: { number: 13, kind: "ValueInfo", repeated: true },
    sparseInitializer: { number: 15, kind: "bytes", repeated: true },
  },
  Node: {
    input: { number: 1, kind: "string", repeated: true },
    output: { number: 2, kind: "string", repeated: true },
    name: { number: 3, kind: "string" },
    opType: { number: 4, kind: "string" },
    attribute: { number: 5, kind: "Attribute", repeated: true },
    domain: { number: 7, kind: "string" },
  },
  Attribute: {
    name: { number: 1, kind: "string" },
    f: { number: 2, kind: "float" },
    i: { number: 3, kind: "int64" },
    s: { number: 4, kind: "bytes" },
    t: { number: 5, kind: "Tensor" },
    g: { number: 6, kind: "bytes" },
    floats: { number: 7, kind: "float", repeated: true },
    ints: { number: 8, kind: "int64", repeated: true },
    strings: { number: 9, kind: "bytes", repeated: true },
    type: { number: 20, kind: "int64" },
  },
  Tensor: {
    dims: { number: 1, kind: "int64", repeated: true },
    dataType: { number: 2, kind: "int64" },
    floatData: { number: 4, kind: "float", repeated: true },
    int32Data: { number: 5, kind: "int64", repeated: true },
    int64Data: { number: 7, kind: "int64", repeated: true },
    name: { number: 8, kind: "string" },
    rawData: { number: 9, kind: "bytes" },
    externalData: { number: 13, kind: "StringEntry", repeated: true },
    dataLocation: { number: 14, kind: "int64" },
  },
  ValueInfo: { name: { number: 1, kind: "string" }, type: { number: 2, kind: "Type" } },
  Type: { tensorType: { number: 1, kind: "TensorType" } },
  TensorType: { elemType: { number: 1, kind: "int64" }, shape: { number: 2, kind: "Shape" } },
  Shape: { dim: { number: 1, kind: "Dimension", repeated: true } },
  Dimension: { dimValue: { number: 1, kind: "int64" }, dimParam: { number: 2, kind: "string" } },
};

/** The name of a message. */
export type MessageName =
  | "Model"
  | "OperatorSet"
  | "StringEntry"
  | "Graph"
  | "Node"
  | "Attribute"
  | "Tensor"
  | "ValueInfo"
  | "Type"
  | "TensorType"
  | "Shape"
  | "Dimension";

/** TensorProto.DataType, by our names. */
export const DATA_TYPES: { readonly [dtype: string]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

/** AttributeProto.AttributeType, by our kinds. */
export const ATTRIBUTE_TYPES: { readonly [kind: string]: number } = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  floats: 6,
  ints: 7,
  strings: 8,
};
