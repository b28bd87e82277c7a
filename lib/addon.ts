// Loads the addon, when it is first needed: an import works on every platform and costs nothing.
import { featureUnavailable } from './errors/argument-error';
import type { Addon } from './native-interface';
import { packageRoot } from './package-files';

let loaded: Addon | undefined;

/** What to do, for why Node would not load it. */
function messageFor(cause: unknown, root: string): string {
  const { code, message } = cause as { code?: unknown; message?: unknown };
  if (code === 'ERR_DLOPEN_DISABLED')
    return 'nsclone is a native addon, and this Node loads none: run it without --no-addons, or with --allow-addons beside --permission';
  // `install` scripts are blocked by now in most clients: this is none.
  const build = `build it with: npm --prefix '${root}' run build:native`;
  if (code === 'ERR_DLOPEN_FAILED') return `the addon of nsclone does not load here (${String(message)}); ${build}`;
  return `nsclone has no prebuilt addon for ${process.platform} ${process.arch} here; ${build}`;
}

function load(): Addon {
  if (process.platform !== 'linux') throw featureUnavailable('nsclone');
  const root = packageRoot();
  if (root === undefined)
    throw new Error(
      'nsclone has been bundled away from its package, in which its addon lies; have the bundler leave it out (external), and install it beside the bundle',
    );
  try {
    // oxlint-disable-next-line typescript/no-require-imports -- a .node file cannot be imported
    return (require('node-gyp-build') as (folder: string) => Addon)(root);
  } catch (cause) {
    throw new Error(messageFor(cause, root), { cause });
  }
}

/** The addon. @throws ERR_FEATURE_UNAVAILABLE_ON_PLATFORM where this is not Linux */
export function addon(): Addon {
  return (loaded ??= load());
}
