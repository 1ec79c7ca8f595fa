/**
 * What is released: a package @zrank/TARGET for each, with the addon and ONNX Runtime's library.
 *
 * @typedef {object} Target
 * @property {NodeJS.Platform} os as package.json has it; so cpu and libc
 * @property {string} cpu
 * @property {string} [libc]
 * @property {string} zig the triple to compile for, with the oldest glibc that has to do
 * @property {string} system CMake's name of the system, and of the processor
 * @property {string} processor
 * @property {string} library ONNX Runtime's, in onnxruntime-node's folder for the platform
 */

/** @type {Readonly<Record<string, Target>>} */
export const targets = {
  'linux-x64-gnu': {
    os: 'linux',
    cpu: 'x64',
    libc: 'glibc',
    zig: 'x86_64-linux-gnu.2.28',
    system: 'Linux',
    processor: 'x86_64',
    library: 'libonnxruntime.so.1',
  },
  'linux-arm64-gnu': {
    os: 'linux',
    cpu: 'arm64',
    libc: 'glibc',
    zig: 'aarch64-linux-gnu.2.28',
    system: 'Linux',
    processor: 'aarch64',
    library: 'libonnxruntime.so.1',
  },
  'darwin-arm64': {
    os: 'darwin',
    cpu: 'arm64',
    zig: 'aarch64-macos.14.0',
    system: 'Darwin',
    processor: 'arm64',
    library: 'libonnxruntime.1.dylib',
  },
  'win32-x64': {
    os: 'win32',
    cpu: 'x64',
    zig: 'x86_64-windows-gnu',
    system: 'Windows',
    processor: 'AMD64',
    library: 'onnxruntime.dll',
  },
};
