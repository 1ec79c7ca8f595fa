#include "kernels/ops/attention_op.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels/dispatch.h"

namespace zrank {

namespace {

struct Job {
  const AttentionKernel* kernel;
  Attention attention;
  std::vector<AttentionTask> tasks;

  void Run(size_t index) const {
    kernel->run(attention, tasks[index], Workspace(kernel->workspace_bytes(attention.head_dim)));
  }
};

// Cuts `rows`, positions in B x S, into runs of one sequence and `most` positions, and those by key/value head.
std::vector<AttentionTask> Tasks(const int32_t* rows, int64_t count, const Attention& attention, int64_t most) {
  std::vector<AttentionTask> tasks;
  for (int64_t row = 0; row < count;) {
    int64_t end = row + 1;
    while (end < count && end - row < most && rows[end] == rows[end - 1] + 1 && rows[end] % attention.longest != 0)
      ++end;
    for (int64_t head = 0; head < attention.key_value_heads; ++head) {
      tasks.push_back({row, end - row, rows[row] / attention.longest, rows[row] % attention.longest, head});
    }
    row = end;
  }
  // The long ones first, lest one be left over at the end.
  std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) {
    return a.count * (a.position + a.count) > b.count * (b.position + b.count);
  });
  return tasks;
}

}  // namespace

AttentionOpKernel::AttentionOpKernel(const OrtKernelInfo* info)
    : kernel_(CpuTarget().FindAttention(ArithmeticOf(info))) {
  const Ort::ConstKernelInfo node(info);
  heads_ = node.GetAttribute<int64_t>(op::kHeads);
  key_value_heads_ = node.GetAttribute<int64_t>(op::kKeyValueHeads);
  epsilon_ = node.GetAttribute<float>(op::kEpsilon);
}

OrtStatusPtr AttentionOpKernel::ComputeV2(OrtKernelContext* context) {
  return Guarded([&] { Compute(Ort::KernelContext(context)); });
}

void AttentionOpKernel::Compute(const Ort::KernelContext& context) const {
  enum { kQ, kK, kV, kQNorm, kKNorm, kCos, kSin, kExpand, kRows };
  std::vector<Tensor> inputs;
  for (size_t i = kQ; i <= kRows; ++i) inputs.push_back(Input(context, i));
  const auto expand = static_cast<const int32_t*>(inputs[kExpand].data),
             rows = static_cast<const int32_t*>(inputs[kRows].data);
  const int64_t width = inputs[kQ].shape[1], head_dim = width / heads_, count = inputs[kRows].shape[1];
  const auto norm_fits = [&](const Tensor& norm) { return norm.data == nullptr || norm.shape[1] == head_dim; };
  if (head_dim % kHeadDimMultiple != 0 || inputs[kK].shape[1] != key_value_heads_ * head_dim ||
      !norm_fits(inputs[kQNorm]) || !norm_fits(inputs[kKNorm])) {
    throw std::invalid_argument("queries, keys and norms do not fit each other");
  }
  const int64_t shape[] = {count, width};
  float* out = context.GetOutput(0, shape, 2).GetTensorMutableData<float>();
  Job job{kernel_,
          {inputs[kQ].floats(), inputs[kK].floats(), inputs[kV].floats(), inputs[kQNorm].floats(),
           inputs[kKNorm].floats(), inputs[kCos].floats(), inputs[kSin].floats(), expand, out, inputs[kExpand].shape[1],
           heads_, key_value_heads_, head_dim, epsilon_},
          {}};
  job.tasks = Tasks(rows, count, job.attention, kernel_->max_task_rows * key_value_heads_ / heads_);
  if (!job.tasks.empty()) ParallelFor(context, job.tasks.size(), [&](size_t index) { job.Run(index); });
}

}  // namespace zrank
