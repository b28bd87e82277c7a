// Stands in for lib/runtime.ts where the tests run as if Node had no libuv: with NSCLONE_TEST_WAKER=thread.
export const hasLibuv = false;
