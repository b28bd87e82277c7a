// Loads the addon, when it is first needed: an import works on every platform and costs nothing.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { featureUnavailable } from './errors/argument-error';
import type { Addon } from './native-interface';

let loaded: Addon | undefined;

function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

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
