"""GFLOP/s of PyTorch and ONNX Runtime on one thread for the shapes of gemm.cc, by processor time. Needs torch, onnx,
onnxruntime."""

import time

import numpy
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

SHAPES = [(1024, 3072), (3072, 1024), (1024, 2048), (2048, 1024)]
ROWS = [16, 128, 512, 2048]
torch.set_num_threads(1)


def best(call, work):
    call()
    times = []
    for _ in range(max(5, int(60 / work))):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return work / min(times)


def with_torch(dtype, rows, depth, columns):
    x, weight = torch.randn(rows, depth, dtype=dtype), torch.randn(columns, depth, dtype=dtype)
    return lambda: torch.nn.functional.linear(x, weight)


def with_onnxruntime(rows, depth, columns):
    """As zrank does where the processor has no AVX2: bf16 weights, widened at each use."""
    weight = helper.make_tensor(
        "w",
        TensorProto.BFLOAT16,
        [columns, depth],
        numpy.random.randint(0x3C00, 0x3F00, columns * depth).astype(numpy.uint16).tobytes(),
        raw=True,
    )
    nodes = [
        helper.make_node("Cast", ["w"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("FusedMatMul", ["x", "wide"], ["y"], domain="com.microsoft", transB=1),
    ]
    return session_call(nodes, [weight], rows, depth)


def with_matmul_nbits(rows, depth, columns):
    """In int8: weights quantized in blocks of 128, activations on the way."""
    blocks = depth // 128
    weight = helper.make_tensor(
        "w",
        TensorProto.UINT8,
        [columns, blocks, 128],
        numpy.random.randint(0, 256, columns * depth).astype(numpy.uint8).tobytes(),
        raw=True,
    )
    scales = helper.make_tensor(
        "s",
        TensorProto.FLOAT,
        [columns, blocks],
        numpy.random.rand(columns * blocks).astype(numpy.float32).tobytes(),
        raw=True,
    )
    node = helper.make_node(
        "MatMulNBits",
        ["x", "w", "s"],
        ["y"],
        domain="com.microsoft",
        K=depth,
        N=columns,
        bits=8,
        block_size=128,
        accuracy_level=4,
    )
    return session_call([node], [weight, scales], rows, depth)


def session_call(nodes, weights, rows, depth):
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = numpy.random.randn(rows, depth).astype(numpy.float32)
    return lambda: session.run(None, {"x": x})


CONTENDERS = {
    "PyTorch fp32": lambda *shape: with_torch(torch.float32, *shape),
    "PyTorch bf16": lambda *shape: with_torch(torch.bfloat16, *shape),
    "ONNX Runtime, Cast + FusedMatMul": with_onnxruntime,
    "ONNX Runtime, MatMulNBits": with_matmul_nbits,
}
with torch.inference_mode():
    for name, make in CONTENDERS.items():
        for depth, columns in SHAPES:
            figures = [
                f"M={rows}: {best(make(rows, depth, columns), 2e-9 * rows * depth * columns):5.1f}" for rows in ROWS
            ]
            print(f"{name}  {depth:4} x {columns:4}   {'  '.join(figures)} GFLOP/s", flush=True)
