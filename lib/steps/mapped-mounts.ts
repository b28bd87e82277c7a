// Steps that give binds other ids before the user namespace is entered. Who is in it has no right to do that on a file system of ours;
// and what comes into it as a mount that was made outside is not locked there: its root could make it writable, or take away what is
// mounted below, and see what that hides. The kernel locks what a mount namespace has when it is copied for another user namespace, so
// these mounts are in one of our own by then, beside our view, below a root that nobody else sees. From there they are bound as others
// are, with their locks; see mount_namespaces(7).
import { Flags } from '../flags';
import { enterMappedView, makeMapped } from './map-first';
import type { Step } from '../assembly/step';

export const mappedMounts: Step = {
  name: 'mapped mounts',
  options: [],
  after: {
    stdio: 'they are in a mount namespace of our own already, where the paths of sources lead elsewhere',
    'mount sources': 'what is held by a descriptor is one of them',
  },

  emit(writer, request) {
    if (request.mappedFirst.length > 0) makeMapped(writer, request);
  },
};

export const mappedView: Step = {
  name: 'mapped view',
  options: [],
  after: {
    namespaces: 'the copy of the mounts is made there',
    'mapped mounts': 'they are what is copied',
  },

  emit(writer, request) {
    if (request.creates(Flags.NEWNS) && request.mappedFirst.length > 0) enterMappedView(writer, request);
  },
};
