# CMake's compilers by zig, which brings the libraries of every system: -DZIG=… -DZIG_TARGET=… -DZIG_SYSTEM=… -DZIG_PROCESSOR=…
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET ZIG_SYSTEM ZIG_PROCESSOR)
set(CMAKE_SYSTEM_NAME "${ZIG_SYSTEM}")
set(CMAKE_SYSTEM_PROCESSOR "${ZIG_PROCESSOR}")

# An option that zig knows by another name than CMake, or not at all, is none of the compiler's.
set(CMAKE_C_COMPILER "${ZIG}" cc -target "${ZIG_TARGET}")
set(CMAKE_CXX_COMPILER "${ZIG}" c++ -target "${ZIG_TARGET}")
set(CMAKE_AR "${ZIG}")
set(CMAKE_RANLIB "${ZIG}")
foreach(_language C CXX)
  set(CMAKE_${_language}_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_${_language}_ARCHIVE_APPEND "<CMAKE_AR> ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_${_language}_ARCHIVE_FINISH "<CMAKE_RANLIB> ranlib <TARGET>")
endforeach()

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
