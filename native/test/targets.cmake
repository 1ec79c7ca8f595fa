# Tests and benchmarks of what CMakeLists.txt builds; none is built unless asked for.

# The CUDA kernels' source for the CPU, on an emulated GPU.
add_library(zrank_emulated_cuda STATIC EXCLUDE_FROM_ALL
  native/test/cuda/emulated_kernels.cc
  native/test/cuda/emulator.cc)
target_link_libraries(zrank_emulated_cuda PUBLIC zrank_core)

# Doubles of NVIDIA's driver, which launches them on it, and of cuBLASLt.
add_library(zrank_stub_cuda MODULE EXCLUDE_FROM_ALL
  native/test/cuda/stub_cublas_lt.cc
  native/test/cuda/stub_driver.cc)
target_link_libraries(zrank_stub_cuda PRIVATE zrank_emulated_cuda)

# Clusters as a discrete-event simulation: cmake --build build --target zrank_simulate
add_library(zrank_simulation STATIC EXCLUDE_FROM_ALL tools/simulation/cluster.cc)
target_include_directories(zrank_simulation PUBLIC tools)
target_link_libraries(zrank_simulation PUBLIC zrank_core)
add_executable(zrank_simulate EXCLUDE_FROM_ALL tools/simulation/main.cc)
target_link_libraries(zrank_simulate PRIVATE zrank_simulation)

# The engine's tests: cmake --build build --target zrank_core_test
add_executable(zrank_core_test EXCLUDE_FROM_ALL
  native/test/attention_op_test.cc
  native/test/attention_test.cc
  native/test/batch_plan_test.cc
  native/test/check.cc
  native/test/cuda_context_test.cc
  native/test/denormals_test.cc
  native/test/dispatch_test.cc
  native/test/engine_team_test.cc
  native/test/engine_test.cc
  native/test/error_test.cc
  native/test/fallback_model_test.cc
  native/test/gemm_test.cc
  native/test/gpu_slot_test.cc
  native/test/pack_test.cc
  native/test/pooling_test.cc
  native/test/request_queue_test.cc
  native/test/simulation_test.cc
  native/test/team_test.cc
  native/test/tiles_test.cc)
target_link_libraries(zrank_core_test PRIVATE zrank_core zrank_simulation)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(zrank_core_test PRIVATE native/test/amx_model.cc)
  set_property(SOURCE native/test/amx_model.cc PROPERTY COMPILE_OPTIONS ${_flags} -mavx512bf16)
endif()
add_library(zrank_cuda_double MODULE EXCLUDE_FROM_ALL test/fixtures/libcuda.c)
add_dependencies(zrank_core_test zrank_cuda_double)
target_compile_definitions(zrank_core_test PRIVATE ZRANK_CUDA_DOUBLE="$<TARGET_FILE:zrank_cuda_double>")

if(ZRANK_SANITIZE)
  message(NOTICE "The tests of the CUDA kernels are left out: sanitizers take the emulator's fibers for its thread. It "
    "checks the kernels' memory and their races itself.")
else()
  target_sources(zrank_core_test PRIVATE
    native/test/cuda/cublas_lt_test.cc
    native/test/cuda/driver_launcher_test.cc
    native/test/cuda/emulator_test.cc
    native/test/cuda/gpu_machine.cc
    native/test/cuda/kernel_cases.cc
    native/test/cuda/kernel_test.cc)
  target_link_libraries(zrank_core_test PRIVATE zrank_emulated_cuda)
  add_dependencies(zrank_core_test zrank_stub_cuda)
  target_compile_definitions(zrank_core_test PRIVATE ZRANK_STUB_CUDA="$<TARGET_FILE:zrank_stub_cuda>")
endif()

# The kernels in shapes of your choice: cmake --build build --target zrank_emulate
add_executable(zrank_emulate EXCLUDE_FROM_ALL
  native/test/cuda/emulate.cc
  native/test/cuda/gpu_machine.cc
  native/test/cuda/kernel_cases.cc)
target_link_libraries(zrank_emulate PRIVATE zrank_emulated_cuda)
add_dependencies(zrank_emulate zrank_stub_cuda)
target_compile_definitions(zrank_emulate PRIVATE ZRANK_STUB_CUDA="$<TARGET_FILE:zrank_stub_cuda>")

# GFLOP/s of the matrix kernels: cmake --build build --target zrank_kernel_bench
add_executable(zrank_kernel_bench EXCLUDE_FROM_ALL bench/kernels/gemm.cc)
target_link_libraries(zrank_kernel_bench PRIVATE zrank_core)
