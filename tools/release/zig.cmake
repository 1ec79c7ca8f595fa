# CMake's compilers by zig, which brings the libraries of every system: -DZIG=… -DZIG_TARGET=… -DZIG_SYSTEM=…
# -DZIG_PROCESSOR=…, and ZIG in the environment.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET ZIG_SYSTEM ZIG_PROCESSOR)
set(CMAKE_SYSTEM_NAME "${ZIG_SYSTEM}")
set(CMAKE_SYSTEM_PROCESSOR "${ZIG_PROCESSOR}")

set(CMAKE_C_COMPILER "${ZIG}" cc -target "${ZIG_TARGET}")
set(CMAKE_CXX_COMPILER "${ZIG}" c++ -target "${ZIG_TARGET}")
# Windows wants one; there are no resources.
set(CMAKE_RC_COMPILER "${ZIG}")
set(CMAKE_AR "${CMAKE_CURRENT_LIST_DIR}/zig-ar")
# The archiver writes the table of symbols itself.
set(CMAKE_C_ARCHIVE_FINISH "")
set(CMAKE_CXX_ARCHIVE_FINISH "")

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
