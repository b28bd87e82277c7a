"""Writes the stub's bytes as a C array, for the addon to put into a memory file."""
import os
import sys

source, target = sys.argv[1:]
with open(source, 'rb') as file:
    data = file.read()
lines = [', '.join(str(byte) for byte in data[at:at + 24]) for at in range(0, len(data), 24)]
os.makedirs(os.path.dirname(target), exist_ok=True)
with open(target, 'w') as file:
    file.write('inline constexpr unsigned char kStubImage[] = {\n' + ',\n'.join(lines) + '};\n')
