// Stands in for lib/runtime.ts where tests run as if Node had no libuv: with NSCLONE_TEST_WAKER=thread.
export const runtime = 'Bun';
export const hasLibuv = false;
