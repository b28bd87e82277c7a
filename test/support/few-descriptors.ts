// Runs a script in a process that soon has no descriptor left.

/**
 * Before the command of the script. No lower limit: the kernel refuses to send descriptors (ETOOMANYREFS, see unix(7)) while more
 * than this are on their way to processes of the same user, others than ours among them.
 */
export const fewDescriptors = ['prlimit', '--nofile=1000:1000'];
