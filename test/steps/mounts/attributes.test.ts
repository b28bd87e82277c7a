// What is set and cleared of a mount, by the options and by OCI's words.
import { type CloneOptions, Flags, type Mount, type MountAttribute } from '../../../lib';
import { isLinux, needing } from '../../support/capability';
import { inside, owned } from '../../support/inside';
import { leavesNothing } from '../../support/leftovers';
import { emitted } from '../../support/listing';
import { mountSeen } from '../../support/mount-info';
import { planning, refusal } from '../../support/refusal';
import { temporaryFolder } from '../../support/temporary-folder';

leavesNothing();

const folder = temporaryFolder();
const base = owned(Flags.NEWNS | Flags.NEWPID);
const mount = (fields: object): Mount => ({ type: 'tmpfs', target: '/mnt', ...fields });

describe('attributes reject', () => {
  const given = (fields: object): (() => unknown) => planning({ ...base, mounts: [mount(fields)] });

  test.each(['readonly', 'nosuid', 'nodev', 'noexec', 'noatime'])('%s that is no boolean', (name) => {
    for (const value of [1, 'true', null]) {
      expect(given({ [name]: value })).toThrow(refusal('ERR_INVALID_ARG_TYPE', `mounts[0].${name}`));
    }
  });
  test('a word in the place of a list', () => {
    for (const attributes of ['ro', null, 5, { 0: 'ro' }]) {
      expect(given({ attributes })).toThrow(refusal('ERR_INVALID_ARG_TYPE', 'mounts[0].attributes'));
    }
  });
  test('an unknown word, with the nearest', () => {
    expect(given({ attributes: ['ro', 'nosiud'] })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].attributes[1]', 'did you mean "nosuid"?'),
    );
    for (const word of ['RO', 'rrro', '', null, 5, 'bind', 'mode=755']) {
      expect(given({ attributes: [word] })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].attributes[0]'));
    }
  });
  test('an unknown propagation, with the nearest', () => {
    expect(given({ propagation: 'rprivat' })).toThrow(
      refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].propagation', 'did you mean "rprivate"?'),
    );
    for (const propagation of ['unchanged', 'rrslave', '', null, true]) {
      expect(given({ propagation })).toThrow(refusal('ERR_INVALID_ARG_VALUE', 'mounts[0].propagation'));
    }
  });
});

describe('attributes emit', () => {
  const calls = (fields: object): string[] =>
    emitted('mounts', {
      flags: Flags.NEWNS,
      mounts: [{ type: 'bind', source: '/a', target: '/b', ...fields }],
    })
      .filter((line) => line.includes('mount_setattr('))
      .map((line) => /AT_EMPTY_PATH.*(?=, 32\))/.exec(line)![0]);

  test('no call where nothing is asked for', () => {
    expect(calls({})).toEqual([]);
    expect(calls({ attributes: [], readonly: false })).toEqual([]);
  });
  test('one call for all that is about one mount, and one for what is about all', () => {
    expect(calls({ attributes: ['ro', 'nosuid', 'rnodev', 'rexec'] })).toEqual([
      'AT_EMPTY_PATH|AT_RECURSIVE, {attr_set=MOUNT_ATTR_NODEV, attr_clr=MOUNT_ATTR_NOEXEC}',
      'AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_NOSUID|MOUNT_ATTR_RDONLY}',
    ]);
  });
  test('the later word where two contradict each other', () => {
    expect(calls({ attributes: ['ro', 'rw'] })).toEqual(['AT_EMPTY_PATH, {attr_clr=MOUNT_ATTR_RDONLY}']);
    expect(calls({ attributes: ['rw', 'ro'] })).toEqual(['AT_EMPTY_PATH, {attr_set=MOUNT_ATTR_RDONLY}']);
  });
  test('access times as one of several, which takes the place of what was', () => {
    for (const words of [['noatime'], ['strictatime', 'noatime'], ['noatime', 'nodev', 'noatime']]) {
      expect(calls({ attributes: words })[0]).toMatch(
        /attr_set=(?:MOUNT_ATTR_NODEV\|)?MOUNT_ATTR_NOATIME.*, attr_clr=/,
      );
    }
  });
});

describe('attributes, seen from inside', () => {
  const seen = async (...attributes: MountAttribute[]): Promise<readonly string[]> => {
    const { attributes: found } = await mountSeen('/mnt', { ...base, mounts: [mount({ attributes })] });
    return found;
  };

  test.each([
    ['ro', 'ro'],
    ['noexec', 'noexec'],
    ['noatime', 'noatime'],
    ['nodiratime', 'nodiratime'],
    ['nosymfollow', 'nosymfollow'],
    ['rro', 'ro'],
    ['rnoexec', 'noexec'],
    ['norelatime', 'strictatime'],
    ['relatime', 'relatime'],
    ['atime', 'relatime'],
    ['nostrictatime', 'relatime'],
  ] as [MountAttribute, string][])('%s', async (word, expected) => {
    // Of access times that are always written there is no word.
    if (expected === 'strictatime') expect((await seen(word)).join()).not.toMatch(/atime/);
    else expect(await seen(word)).toContain(expected);
  });
  test.each(['suid', 'dev', 'rsuid', 'rdev'] as MountAttribute[])(
    '%s clears what a type sets by itself',
    async (word) => {
      const name = `no${word.replace(/^r/, '')}`;
      expect(await seen()).toContain(name);
      expect(await seen(word)).not.toContain(name);
    },
  );
  test.each([
    ['ro', 'rw'],
    ['noexec', 'exec'],
    ['nodiratime', 'diratime'],
    ['nosymfollow', 'symfollow'],
  ] as [MountAttribute, MountAttribute][])('%s is cleared by %s', async (set, clear) => {
    expect(await seen(set, clear)).not.toContain(set);
  });
  test('the options, and then the words', async () => {
    const fields = { readonly: true, nosuid: false, noatime: true, attributes: ['rw', 'nosuid'] };
    const { attributes } = await mountSeen('/mnt', { ...base, mounts: [mount(fields)] });
    expect(attributes).toEqual(expect.arrayContaining(['rw', 'nosuid', 'nodev', 'noatime']));
  });
  test('what they say is so', async () => {
    folder.file('program', '#!/bin/sh\necho executed');
    const bind = (more: object): Mount => ({ type: 'bind', source: folder.path, target: '/mnt', ...more });
    const script = 'chmod 755 /mnt/program; /mnt/program';
    expect(await inside(script, { ...base, mounts: [bind({})] })).toBe('executed');
    const refused = `${script} 2>&1 || echo $?`;
    expect(await inside(refused, { ...base, mounts: [bind({ noexec: true })] })).toMatch(/Permission denied\n126$/);
    expect(await inside('(: > /mnt/new) 2>&1', { ...base, mounts: [bind({ readonly: true })] }).catch(String)).toMatch(
      'Read-only file system',
    );
    const linked = 'ln -s program /mnt/link; cat /mnt/link 2>&1';
    expect(await inside(linked, { ...base, mounts: [bind({ attributes: ['nosymfollow'] })] }).catch(String)).toMatch(
      /Too many levels/,
    );
  });
});

describe('propagation of an entry where all is shared, seen from inside', () => {
  const seen = async (fields: Partial<Mount & { type: 'tmpfs' }>): Promise<string> => {
    const options: CloneOptions = {
      ...base,
      propagation: 'shared',
      mounts: [{ type: 'tmpfs', target: folder.folder('target'), ...fields }],
    };
    return (await mountSeen(folder.at('target'), options)).propagation.join(' ').replaceAll(/\d+/g, 'n');
  };

  test('is shared, too, where nobody says otherwise', async () => {
    expect(await seen({})).toBe('shared:n');
    expect(await seen({ propagation: 'shared' })).toBe('shared:n');
  });
  test('is what the entry says', async () => {
    expect(await seen({ propagation: 'private' })).toBe('');
    expect(await seen({ propagation: 'rprivate' })).toBe('');
    expect(await seen({ propagation: 'unbindable' })).toBe('unbindable');
  });
  const layered = needing(isLinux('6.15'), 'layers beside shared mounts, Linux 6.15');
  layered('of layers as well', async () => {
    expect(await seen({ propagation: 'private', copyUp: true })).toBe('');
  });
});
