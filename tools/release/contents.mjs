/** What the packages may hold, and must: each file matches a line, and each line a file. */

/** @param {string} library ONNX Runtime's */
export const targetContents = (library, hasNotices) => [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^zrank\.node$/,
  new RegExp(`^${library.replaceAll('.', '\\.')}$`),
  ...(hasNotices ? [/^onnxruntime-LICENSE\.txt$/, /^onnxruntime-ThirdPartyNotices\.txt$/] : []),
];

export const libraryContents = [
  /^package\.json$/,
  /^(README|CHANGELOG)\.md$/,
  /^LICENSE$/,
  /^dist\/.*\.c?js$/,
  /^dist\/.*\.d\.c?ts$/,
  /^dist\/vendor\/LICENSES\.txt$/,
  /^models\/zrank-(small|tiny|tiny-retriever)\/[\w./-]+$/,
  /^docs\/\w+\.md$/,
  /^examples\/(\w[\w-]*\.(ts|jsonl|mjs)|\w+\/.+)$/,
  /^data\/.+$/,
  /^bench\/(scenarios|peers)\/[\w.-]+$/,
  // What `zrank build` takes.
  /^CMakeLists\.txt$/,
  /^cmake\/[\w-]+\.(cmake|sh)$/,
  /^native\/(binding|core|kernels)\/.*\.(cc|h|cu|map|fatbin|txt)$/,
];
