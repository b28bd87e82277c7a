# Builds the stub, its image as a header, and the addon; in a checkout also a test build of both, with the fault hook.
{
  'variables': {
    'checkout%': '<!(node -p "+require(\'fs\').existsSync(\'test\')")',
  },
  'target_defaults': {
    'include_dirs': ['src-native'],
    'cflags': ['-Wall', '-Wextra', '-Wno-missing-field-initializers'],
    # A compiler that is newer than ours must not keep a user from building.
    'conditions': [['checkout == 1', { 'cflags': ['-Werror'] }]],
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['-std=c++20', '-fno-exceptions', '-fno-rtti', '-fvisibility=hidden'],
    'default_configuration': 'Release',
  },
  'targets': [
    {
      'target_name': 'nsclone_loop',
      'type': 'static_library',
      'standalone_static_library': 1,
      'sources': ['src-native/loop/load.cc', 'src-native/loop/loop.cc', 'src-native/launch/entry.cc'],
      'includes': ['src-native/child.gypi'],
    },
    {
      'target_name': 'nsclone_stub',
      'type': 'executable',
      'sources': ['src-native/loop/load.cc', 'src-native/loop/loop.cc', 'src-native/stub/init.cc', 'src-native/stub/memory.cc', 'src-native/stub/stub.cc'],
      'includes': ['src-native/child.gypi', 'src-native/stub/stub.gypi'],
    },
    {
      'target_name': 'nsclone',
      'dependencies': ['nsclone_loop', 'nsclone_stub'],
      'variables': { 'stub_name': 'nsclone_stub' },
      'includes': ['src-native/addon.gypi'],
    },
  ],
  'conditions': [
    ['checkout == 1', {
      'targets': [
        {
          'target_name': 'nsclone_test_loop',
          'type': 'static_library',
          'standalone_static_library': 1,
          'sources': ['src-native/loop/load.cc', 'src-native/loop/loop.cc', 'src-native/launch/entry.cc'],
          'includes': ['src-native/child.gypi'],
              'defines': ['NSCLONE_FAULTS'],
        },
        {
          'target_name': 'nsclone_test_stub',
          'type': 'executable',
          'sources': ['src-native/loop/load.cc', 'src-native/loop/loop.cc', 'src-native/stub/init.cc', 'src-native/stub/memory.cc', 'src-native/stub/stub.cc'],
          'includes': ['src-native/child.gypi', 'src-native/stub/stub.gypi'],
          'defines': ['NSCLONE_FAULTS'],
        },
        {
          'target_name': 'nsclone_test',
          'dependencies': ['nsclone_test_loop', 'nsclone_test_stub'],
          'variables': { 'stub_name': 'nsclone_test_stub' },
          'includes': ['src-native/addon.gypi'],
          'defines': ['NSCLONE_FAULTS'],
        },
      ],
    }],
  ],
}
