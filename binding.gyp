{
  # For tools that only know node-gyp (npm rebuild, electron-rebuild): the build is CMakeLists.txt, called through cmake-js.
  "targets": [
    {
      "target_name": "zrank",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake-js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/zrank.node"],
          "action": ["node", "node_modules/cmake-js/bin/cmake-js", "compile"]
        }
      ]
    }
  ]
}
