// How a guest is started: by QEMU, without anything of the processor's own, or as a process where the kernel is one.
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What a kernel of these architectures is started by. A processor with less is emulated faster: `max` takes a fifth longer. */
const machines = {
  x64: { program: 'qemu-system-x86_64', options: ['-M', 'q35', '-cpu', 'Nehalem'], console: 'ttyS0' },
  arm64: { program: 'qemu-system-aarch64', options: ['-M', 'virt', '-cpu', 'cortex-a72'], console: 'ttyAMA0' },
};

/** User-mode Linux is a program of this machine; any other kernel is what a boot loader loads. */
export function isProgram(kernel) {
  const file = openSync(kernel, 'r');
  const magic = Buffer.alloc(4);
  readSync(file, magic, 0, magic.length, 0);
  closeSync(file);
  return magic.equals(Buffer.from('\x7FELF', 'latin1'));
}

/**
 * The command of a guest, whose console is its stdout.
 *
 * @param guest the paths of `kernel`, `initrd` (if it needs one) and `disk`, which stays as it is; `arch`, `memory` ('6G'), words
 *   for the kernel's command line, `append`, and the number of processors, `cpus`
 * @param folder where what the guest changes is kept until it ends
 * @param job the second disk, which is read
 * @param results the third, which is written
 */
export function commandOf(guest, folder, job, results) {
  const { kernel, initrd, disk, arch, memory, cpus } = guest;
  const words = (root) => [`root=/dev/${root}`, 'rw', 'init=/sbin/first', 'quiet', 'panic=-1', ...guest.append];
  if (isProgram(kernel)) {
    const disks = [`ubd0=${join(folder, 'changes')},${disk}`, `ubd1r=${job}`, `ubd2=${results}`];
    return [kernel, [`mem=${memory}`, ...disks, 'con=null', 'con0=null,fd:1', 'ssl=null', ...words('ubda')]];
  }
  const { program, options, console } = machines[arch];
  const drives = [`file=${disk},snapshot=on`, `file=${job},read-only=on`, `file=${results}`].flatMap((drive, at) => {
    const id = `disk${at}`;
    return ['-drive', `${drive},format=raw,if=none,cache=unsafe,id=${id}`, '-device', `virtio-blk-pci,drive=${id}`];
  });
  const rest = '-accel tcg,thread=multi -nodefaults -nographic -no-reboot -serial stdio -device virtio-rng-pci';
  // A guest that hangs, as emulated processors do now and then, ends; and nobody spies on one by how it guesses.
  const own = ['softlockup_panic=1', 'watchdog_thresh=60', 'mitigations=off'];
  const append = [`console=${console}`, ...own, ...words('vda')].join(' ');
  const booted = ['-kernel', kernel, ...(initrd === undefined ? [] : ['-initrd', initrd]), '-append', append];
  return [program, [...options, ...rest.split(' '), '-smp', cpus, '-m', memory, ...drives, ...booted]];
}
