// Step `security label`: what a security module shall take the program for, from its exec on; see attr in proc_pid_attr(5).
//
// Written while nothing but our own /proc is there: what a container has at that place may take it and do nothing (CVE-2019-16884,
// CVE-2023-28642). It stays with the process, through clones too, until it executes something.
import { string } from '../check';
import { invalidArgValue } from '../errors/argument-error';
import { host } from '../host/host';
import { hasNoNewPrivileges, profile, spell } from '../host/ourselves';
import type { Writer } from '../program/writer';
import type { Step } from '../assembly/step';
import { writeProcFile } from './proc-file';

/** The kernel takes at most a page. */
const longest = 4000;

const files = { apparmorProfile: 'thread-self/attr/apparmor/exec', selinuxLabel: 'thread-self/attr/exec' } as const;

function checkText(value: unknown, option: keyof typeof files): string {
  const text = string(value, option, { nonEmpty: true, maxBytes: longest });
  if (/[\n\r]|^\s|\s$/.test(text)) throw invalidArgValue(option, text, 'must be one line, without blanks around it');
  return text;
}

function checkLabel(value: unknown): string {
  const text = checkText(value, 'selinuxLabel');
  if (!/^[^\s:]+:[^\s:]+:[^\s:]+(?::\S+)?$/.test(text))
    throw invalidArgValue(
      'selinuxLabel',
      text,
      "must be user:role:type, with a level where the policy has them, such as 'system_u:system_r:container_t:s0'",
    );
  return text;
}

function write(writer: Writer, option: keyof typeof files, text: string): void {
  writer.about('security label', option).subject(`/proc/${files[option]}`);
  writeProcFile(writer, files[option], text);
}

export const securityLabel: Step = {
  name: 'security label',
  options: ['apparmorProfile', 'selinuxLabel'],
  onlyWhenGiven: true,
  after: {},

  check(given, request) {
    if (given.apparmorProfile !== undefined)
      request.apparmorProfile = checkText(given.apparmorProfile, 'apparmorProfile');
    if (given.selinuxLabel !== undefined) request.selinuxLabel = checkLabel(given.selinuxLabel);
  },

  emit(writer, { apparmorProfile, selinuxLabel }) {
    if (apparmorProfile !== undefined) write(writer, 'apparmorProfile', `exec ${apparmorProfile}`);
    if (selinuxLabel !== undefined) write(writer, 'selinuxLabel', selinuxLabel);
  },

  hint: (code, { option }) => (option === 'apparmorProfile' ? whyNoProfile(code) : whyNoLabel(code)),
};

function whyNoProfile(code: string): string | undefined {
  const isOn = host.read('/sys/module/apparmor/parameters/enabled') === 'Y';
  if (!isOn && (code === 'ENOENT' || code === 'EINVAL'))
    return 'there is no AppArmor in this kernel, or it is switched off';
  if (code === 'ENOENT') return 'no profile of this name is loaded; see apparmor_parser(8)';
  if (code !== 'EACCES' && code !== 'EPERM') return undefined;
  const own = profile();
  if (own?.module === 'AppArmor' && own.mode === 'enforced')
    return `${spell(own)} must have a rule change_profile for it`;
  return code === 'EPERM' && hasNoNewPrivileges()
    ? 'no_new_privs is set on us, so a profile can only be made stricter'
    : undefined;
}

function whyNoLabel(code: string): string | undefined {
  if (code === 'EINVAL') {
    return /\bselinuxfs$/m.test(host.read('/proc/filesystems') ?? '')
      ? 'the SELinux policy that is loaded knows no such label'
      : 'there is no SELinux in this kernel, or it is switched off';
  }
  const own = profile();
  return code === 'EACCES' && own?.module === 'SELinux' ? `${spell(own)} must allow process setexec` : undefined;
}
