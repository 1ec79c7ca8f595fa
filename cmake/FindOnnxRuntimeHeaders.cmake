# Finds ONNX Runtime's C and C++ headers and sets ONNXRUNTIME_INCLUDE_DIR. In this order: ORT_ROOT, the system's
# libonnxruntime-dev, ONNX Runtime's official release archive, the distribution's libonnxruntime-dev unpacked without
# root. Any version from 1.21 to the library's own will do, since the addon asks for the API version it was built with.

# SHA-256 of its archives as many projects have pinned them. What later releases add to the headers is not needed.
set(ORT_RELEASE 1.23.2)
set(ORT_SHA256_linux-x64 1fa4dcaef22f6f7d5cd81b28c2800414350c10116f5fdd46a2160082551c5f9b)
set(ORT_SHA256_linux-aarch64 7c63c73560ed76b1fac6cff8204ffe34fe180e70d6582b5332ec094810241e5c)
set(ORT_SHA256_osx-arm64 b4d513ab2b26f088c66891dbbc1408166708773d7cc4163de7bdca0e9bbb7856)
set(ORT_MIN_API_VERSION 21)
set(_suffixes include include/onnxruntime include/onnxruntime/core/session)
set(_cache "${CMAKE_BINARY_DIR}/onnxruntime-headers")

function(_zrank_look source)
  if(NOT ONNXRUNTIME_INCLUDE_DIR)
    unset(_found CACHE)
    find_path(_found onnxruntime_cxx_api.h PATHS ${ARGN} PATH_SUFFIXES ${_suffixes} NO_DEFAULT_PATH)
    if(_found)
      set(ONNXRUNTIME_INCLUDE_DIR "${_found}" CACHE PATH "folder of onnxruntime_cxx_api.h")
      set(ONNXRUNTIME_HEADERS_SOURCE "${source}" CACHE STRING "where the headers come from")
    endif()
    unset(_found CACHE)
  endif()
endfunction()

# Headers found before count only for the ORT_ROOT that they were found with.
if(NOT "$ENV{ORT_ROOT}" STREQUAL "${ONNXRUNTIME_HEADERS_ORT_ROOT}")
  unset(ONNXRUNTIME_HEADERS_SOURCE CACHE)
  unset(ONNXRUNTIME_INCLUDE_DIR CACHE)
endif()
set(ONNXRUNTIME_HEADERS_ORT_ROOT "$ENV{ORT_ROOT}" CACHE INTERNAL "ORT_ROOT when the headers were found")

if(DEFINED ENV{ORT_ROOT})
  _zrank_look("ORT_ROOT" "$ENV{ORT_ROOT}")
  if(NOT ONNXRUNTIME_INCLUDE_DIR)
    message(FATAL_ERROR "zrank: ORT_ROOT is $ENV{ORT_ROOT}, but onnxruntime_cxx_api.h is not below it")
  endif()
endif()
_zrank_look("the system" /usr /usr/local /opt/homebrew)

if(NOT ONNXRUNTIME_INCLUDE_DIR)
  if(APPLE)
    set(_platform osx-arm64)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(_platform linux-aarch64)
  else()
    set(_platform linux-x64)
  endif()
  set(_archive "onnxruntime-${_platform}-${ORT_RELEASE}")
  set(_url "https://github.com/microsoft/onnxruntime/releases/download/v${ORT_RELEASE}/${_archive}.tgz")
  file(DOWNLOAD "${_url}" "${_cache}/release.tgz" TLS_VERIFY ON TIMEOUT 120 INACTIVITY_TIMEOUT 10 STATUS _status)
  list(GET _status 0 _failed)
  if(NOT _failed)
    # EXPECTED_HASH would end the search where there is no network.
    file(SHA256 "${_cache}/release.tgz" _sha256)
    if(_sha256 STREQUAL ORT_SHA256_${_platform})
      file(ARCHIVE_EXTRACT INPUT "${_cache}/release.tgz" DESTINATION "${_cache}")
      _zrank_look("the release archive ${_archive}" "${_cache}/${_archive}")
    else()
      message(WARNING
        "zrank: ${_url} is not used: its SHA-256 is ${_sha256}, expected ${ORT_SHA256_${_platform}}")
    endif()
  endif()
  file(REMOVE "${_cache}/release.tgz")
endif()

if(NOT ONNXRUNTIME_INCLUDE_DIR)
  execute_process(
    COMMAND bash "${CMAKE_CURRENT_LIST_DIR}/unpack-debian-headers.sh" "${_cache}/debian"
    ERROR_VARIABLE _debian_error RESULT_VARIABLE _failed OUTPUT_QUIET)
  if(NOT _failed)
    _zrank_look("the distribution's libonnxruntime-dev, unpacked" "${_cache}/debian/usr")
  endif()
endif()

if(ONNXRUNTIME_INCLUDE_DIR)
  message(STATUS "ONNX Runtime headers: ${ONNXRUNTIME_INCLUDE_DIR} (from ${ONNXRUNTIME_HEADERS_SOURCE})")
else()
  message(FATAL_ERROR
    "zrank: ONNX Runtime's headers were not found.\n"
    "Do one of these and build again:\n"
    "  apt-get install libonnxruntime-dev\n"
    "  export ORT_ROOT=<folder of an unpacked ONNX Runtime release, 1.21 or later>\n"
    "Tried: ORT_ROOT (not set), /usr and /usr/local, ${_url}, and the Debian package without root:\n${_debian_error}")
endif()
file(STRINGS "${ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_c_api.h" _version REGEX "^#define ORT_API_VERSION [0-9]+")
string(REGEX MATCH "[0-9]+" _version "${_version}")
if(NOT _version OR _version LESS ORT_MIN_API_VERSION)
  set(_place "${ONNXRUNTIME_INCLUDE_DIR}")
  unset(ONNXRUNTIME_INCLUDE_DIR CACHE)
  message(FATAL_ERROR
    "zrank: the ONNX Runtime headers in ${_place} (from ${ONNXRUNTIME_HEADERS_SOURCE}) "
    "have the API version '${_version}', "
    "expected ${ORT_MIN_API_VERSION} or later.\n"
    "Point ORT_ROOT at an unpacked ONNX Runtime release, 1.${ORT_MIN_API_VERSION} or later, and build again.")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntimeHeaders REQUIRED_VARS ONNXRUNTIME_INCLUDE_DIR)
