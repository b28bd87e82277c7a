// Required before the package: Node then is to it a runtime without libuv, so that all which Bun and Deno have in its place runs here.
Object.defineProperty(process, 'versions', { value: { ...process.versions, bun: '0.0.0' } });
