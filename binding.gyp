{
  # For tools that only know node-gyp (npm rebuild, electron-rebuild): the build is CMakeLists.txt, called through cmake-js.
  "targets": [
    {
      "target_name": "cmake",
      "type": "none",
      "actions": [
        {
          "action_name": "compile",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/cmake/Release/zrank.node"],
          "action": ["npx", "--no", "cmake-js", "compile", "--out", "build/cmake"]
        }
      ]
    },
    {
      "target_name": "zrank",
      "type": "none",
      "dependencies": ["cmake"],
      "copies": [{ "files": ["build/cmake/Release/zrank.node"], "destination": "<(PRODUCT_DIR)" }]
    }
  ]
}
