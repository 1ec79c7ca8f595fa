import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/**
 * Writes ONNX models. Field numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto);
 * only what zrank's graphs use is here.
 */
export const dataType = { float: 1, uint8: 2, int32: 6, int64: 7, float16: 10, bfloat16: 16 } as const;
export type DataType = (typeof dataType)[keyof typeof dataType];

export type Attribute = { int: number } | { float: number } | { string: string } | { ints: readonly number[] };

/** A dimension: a number, or the name of a symbol. */
export type Dimension = number | string;

/** Bytes of a tensor in another file: `location` is the name that the session is given for it. */
export interface ExternalData {
  location: string;
  offset: number;
  length: number;
}

export class OnnxGraphWriter {
  readonly #nodes: Message[] = [];
  readonly #weightNodes: Message[] = [];
  readonly #initializers: Message[] = [];
  readonly #inputs: Message[] = [];
  readonly #outputs: Message[] = [];
  readonly #values: Message[] = [];
  readonly #names = new Set<string>();

  input(name: string, type: DataType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  output(name: string, type: DataType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** Type and shape of a node's output, where ONNX Runtime cannot infer them. */
  value(name: string, type: DataType, shape: readonly Dimension[]): string {
    this.#values.push(valueInfo(name, type, shape));
    return name;
  }

  /** A tensor stored in the model itself. Returns its name; a second one of the same name is the first. */
  constant(name: string, values: Float32Array | Int32Array | BigInt64Array, shape: readonly number[]): string {
    const type =
      values instanceof Float32Array ? dataType.float : values instanceof Int32Array ? dataType.int32 : dataType.int64;
    return this.#initializer(name, type, shape, (tensor) =>
      tensor.bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    );
  }

  /** A tensor that lies in another file. */
  external(name: string, type: DataType, shape: readonly number[], data: ExternalData): string {
    return this.#initializer(name, type, shape, (tensor) => {
      for (const [key, value] of Object.entries(data))
        tensor.message(13, new Message().string(1, key).string(2, String(value)));
      tensor.int(14, 1);
    });
  }

  #initializer(name: string, type: DataType, shape: readonly number[], fill: (tensor: Message) => void): string {
    if (this.#names.has(name)) return name;
    this.#names.add(name);
    const tensor = new Message();
    for (const dim of shape) tensor.int(1, dim);
    tensor.int(2, type).string(8, name);
    fill(tensor);
    this.#initializers.push(tensor);
    return name;
  }

  /** A node; `op` is `Name` or `domain:Name`, an empty input name leaves an optional input out. */
  node(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, Attribute> = {},
  ): void {
    this.#nodes.push(nodeMessage(op, inputs, outputs, attributes));
  }

  /**
   * A node that takes initializers alone. Such nodes stand first in the model, which lets ONNX Runtime run them last:
   * of a node's inputs it prepares the one listed latest first (Graph::ReverseDFSFrom). In their natural places all of
   * them would run before anything else, and every widened weight would be in memory at once.
   */
  weightNode(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Record<string, Attribute> = {},
  ): void {
    this.#weightNodes.push(nodeMessage(op, inputs, outputs, attributes));
  }

  /** The serialized ModelProto. */
  finish(name: string, opsets: Record<string, number>): Uint8Array {
    const graph = new Message();
    for (const node of [...this.#weightNodes, ...this.#nodes]) graph.message(1, node);
    graph.string(2, name);
    for (const tensor of this.#initializers) graph.message(5, tensor);
    for (const input of this.#inputs) graph.message(11, input);
    for (const output of this.#outputs) graph.message(12, output);
    for (const value of this.#values) graph.message(13, value);
    const model = new Message().int(1, 10).string(2, 'zrank').message(7, graph);
    for (const [domain, version] of Object.entries(opsets))
      model.message(8, new Message().string(1, domain).int(2, version));
    return model.finish();
  }
}

class Message {
  readonly #writer = new BinaryWriter();

  int(field: number, value: number): this {
    this.#writer.tag(field, WireType.Varint).int64(value);
    return this;
  }
  float(field: number, value: number): this {
    this.#writer.tag(field, WireType.Bit32).float(value);
    return this;
  }
  string(field: number, value: string): this {
    this.#writer.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }
  bytes(field: number, value: Uint8Array): this {
    this.#writer.tag(field, WireType.LengthDelimited).bytes(value);
    return this;
  }
  message(field: number, value: Message): this {
    return this.bytes(field, value.finish());
  }
  finish(): Uint8Array {
    return this.#writer.finish();
  }
}

function nodeMessage(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Record<string, Attribute>,
): Message {
  const [type, domain = ''] = op.split(':').reverse() as [string, string?];
  const node = new Message();
  for (const input of inputs) node.string(1, input);
  for (const output of outputs) node.string(2, output);
  node.string(3, outputs[0]!).string(4, type);
  for (const [name, attribute] of Object.entries(attributes)) node.message(5, attributeMessage(name, attribute));
  if (domain) node.string(7, domain);
  return node;
}

function attributeMessage(name: string, attribute: Attribute): Message {
  const message = new Message().string(1, name);
  if ('float' in attribute) return message.float(2, attribute.float).int(20, 1);
  if ('int' in attribute) return message.int(3, attribute.int).int(20, 2);
  if ('string' in attribute) return message.string(4, attribute.string).int(20, 3);
  for (const value of attribute.ints) message.int(8, value);
  return message.int(20, 7);
}

function valueInfo(name: string, type: DataType, shape: readonly Dimension[]): Message {
  const dims = new Message();
  for (const dim of shape)
    dims.message(1, typeof dim === 'number' ? new Message().int(1, dim) : new Message().string(2, dim));
  const tensor = new Message().int(1, type).message(2, dims);
  return new Message().string(1, name).message(2, new Message().message(1, tensor));
}
