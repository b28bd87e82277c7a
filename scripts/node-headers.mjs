// Where the headers of the running Node lie on this machine, so that node-gyp need not download them.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder for node-gyp's `--nodedir`, or undefined where node-gyp has to fetch the headers itself. */
export function nodeDirectory() {
  const configured = process.env.npm_config_nodedir;
  if (configured) return configured;
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const header = join(prefix, 'include/node/node_version.h');
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const part = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
  const version = `${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}`;
  return version === process.versions.node ? prefix : undefined;
}

/** The environment for node-gyp and what starts it, with the headers found named in it. */
export function withNodeHeaders(environment = process.env) {
  const directory = nodeDirectory();
  return directory === undefined ? environment : { ...environment, npm_config_nodedir: directory };
}
