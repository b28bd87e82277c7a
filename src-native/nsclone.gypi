# What binding.gyp is: builds the stub, its image as a header, and the addon; in a checkout also a test build of both, with the fault hook.
{
  'variables': {
    'checkout%': '<!(node -p "+require(\'fs\').existsSync(\'test\')")',
    # Optimized as a whole: what is published, and what is tested. A user's linker may have no plug-in for it.
    'whole%': '<!(node -p "+(process.env.NSCLONE_WHOLE === \'1\' || require(\'fs\').existsSync(\'test\'))")',
  },
  'target_defaults': {
    'include_dirs': ['.'],
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
      'sources': ['loop/load.cc', 'loop/loop.cc', 'launch/entry.cc'],
      'includes': ['child.gypi'],
    },
    {
      'target_name': 'nsclone_stub',
      'type': 'executable',
      'sources': ['loop/load.cc', 'loop/loop.cc', 'stub/init.cc', 'stub/memory.cc', 'stub/stub.cc'],
      'includes': ['child.gypi', 'stub/stub.gypi'],
    },
    {
      'target_name': 'nsclone',
      'dependencies': ['nsclone_loop', 'nsclone_stub'],
      'variables': { 'stub_name': 'nsclone_stub' },
      'includes': ['addon.gypi'],
    },
  ],
  'conditions': [
    ['checkout == 1', {
      'targets': [
        {
          'target_name': 'nsclone_test_loop',
          'type': 'static_library',
          'standalone_static_library': 1,
          'sources': ['loop/load.cc', 'loop/loop.cc', 'launch/entry.cc'],
          'includes': ['child.gypi'],
          'defines': ['NSCLONE_FAULTS'],
        },
        {
          'target_name': 'nsclone_test_stub',
          'type': 'executable',
          'sources': ['loop/load.cc', 'loop/loop.cc', 'stub/init.cc', 'stub/memory.cc', 'stub/stub.cc'],
          'includes': ['child.gypi', 'stub/stub.gypi'],
          'defines': ['NSCLONE_FAULTS'],
        },
        {
          'target_name': 'nsclone_test',
          'dependencies': ['nsclone_test_loop', 'nsclone_test_stub'],
          'variables': { 'stub_name': 'nsclone_test_stub' },
          'includes': ['addon.gypi'],
          'defines': ['NSCLONE_FAULTS'],
        },
      ],
    }],
  ],
}
