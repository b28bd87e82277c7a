// Loads the addon, when it is first needed: an import works on every platform and costs nothing.
import { featureUnavailable } from './errors/argument-error';
import type { Addon } from './native-interface';
import { packageRoot } from './package-files';

let loaded: Addon | undefined;

function load(): Addon {
  if (process.platform !== 'linux') throw featureUnavailable('nsclone');
  const root = packageRoot();
  try {
    // oxlint-disable-next-line typescript/no-require-imports -- a .node file cannot be imported
    return (require('node-gyp-build') as (folder: string) => Addon)(root);
  } catch (cause) {
    throw new Error(
      `nsclone has no prebuilt addon for ${process.platform} ${process.arch} here; build it with: npm rebuild nsclone`,
      { cause },
    );
  }
}

/** The addon. @throws ERR_FEATURE_UNAVAILABLE_ON_PLATFORM where this is not Linux */
export function addon(): Addon {
  return (loaded ??= load());
}
