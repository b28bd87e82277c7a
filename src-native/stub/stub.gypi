# How the stub is linked: static, without start files, in as few pages as possible.
{
  'cflags': ['-fno-pic', '-fno-pie'],
  'cflags!': ['-fPIC'],
  'ldflags!': ['-rdynamic', '-pthread'],
  'ldflags': ['-static', '-nostdlib', '-no-pie', '-Wl,--build-id=none', '-Wl,-z,noseparate-code', '-Wl,-z,norelro', '-Wl,--gc-sections', '-s'],
  'libraries!': ['-lm', '-ldl', '-lpthread'],
}
