# Code that runs in a child: no libc, no thread-local stack canary, no calls that the compiler makes up.
{
  'cflags': [
    '-Os', '-ffreestanding', '-fno-stack-protector', '-fno-tree-loop-distribute-patterns', '-fno-asynchronous-unwind-tables',
    '-fno-unwind-tables', '-fomit-frame-pointer', '-fno-threadsafe-statics', '-fcf-protection=none',
  ],
  'cflags!': ['-O3'],
  'conditions': [
    ['target_arch == "arm64"', { 'cflags!': ['-fcf-protection=none'], 'cflags': ['-mno-outline-atomics'] }],
  ],
}
