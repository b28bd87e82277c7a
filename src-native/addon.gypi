# An addon around a stub; the including target sets `stub_name`.
{
  'sources': [
    'binding/children.cc', 'binding/descriptors.cc', 'binding/environment.cc', 'binding/lent.cc', 'binding/libstdcxx.cc',
    'binding/module.cc', 'binding/namespaces.cc', 'binding/nsfs.cc', 'binding/poll_waker.cc', 'binding/thread_waker.cc',
    'binding/threads.cc', 'launch/home.cc',
    'launch/launch.cc', 'launch/memory_file.cc', 'launch/stack_pool.cc', 'launch/proc.cc', 'launch/stub_descriptor.cc',
    'watch/cgroup_tree.cc', 'watch/child.cc', 'watch/children.cc', 'watch/clock.cc', 'watch/files.cc', 'watch/foreground.cc',
    'watch/group_tree.cc', 'watch/judge.cc', 'watch/members.cc', 'watch/pace.cc', 'watch/process.cc', 'watch/reaper.cc',
    'watch/received.cc', 'watch/taken.cc', 'watch/watch.cc',
  ],
  # Nothing here throws or catches: without the tables for that the addon is a tenth smaller.
  'cflags': ['-Os', '-ffunction-sections', '-fdata-sections', '-fno-asynchronous-unwind-tables',
             '-fno-unwind-tables'],
  'cflags!': ['-O3'],
  'conditions': [['whole == 1', { 'cflags': ['-flto'], 'ldflags': ['-flto=auto', '-Os'] }]],
  'include_dirs': ['<!(node -p "require(\'node-addon-api\').include_dir")', '<(SHARED_INTERMEDIATE_DIR)/<(stub_name)'],
  'defines': ['NAPI_VERSION=9', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
  # A child may run the loop after the only Worker that loaded the addon has ended: its code must stay where it is.
  'ldflags': ['-Wl,-z,nodelete', '-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noseparate-code', '-static-libgcc', '-Wl,--gc-sections'],
  'actions': [
    {
      'action_name': 'embed_stub',
      'inputs': ['stub/embed.py', '<(PRODUCT_DIR)/<(stub_name)'],
      'outputs': ['<(SHARED_INTERMEDIATE_DIR)/<(stub_name)/stub_image.h'],
      'action': ['python3', 'src-native/stub/embed.py', '<(PRODUCT_DIR)/<(stub_name)', '<@(_outputs)'],
    },
  ],
}
