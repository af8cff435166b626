// A machine with Node and nothing else, as far as that can be had on one with more: an environment of its own, an empty
// home, and a PATH that leads to node and a shell alone.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How the registry is reached is the machine's business, not the user's home. */
const passed =
  /^(npm_config_registry|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file|systemroot|windir|comspec|temp|tmp|localappdata|programdata|programfiles.*)$/i;

export class Sandbox {
  #env;
  #folder;

  constructor(folder) {
    this.#folder = folder;
    const home = join(folder, 'home');
    const bin = join(folder, 'bin');
    for (const path of [home, bin]) mkdirSync(path, { recursive: true });
    const windows = process.platform === 'win32';
    const programs = windows
      ? []
      : [
          [process.execPath, 'node'],
          ['/bin/sh', 'sh'],
          ['/usr/bin/env', 'env'],
        ];
    for (const [path, name] of programs) symlinkSync(path, join(bin, name));
    this.#env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => passed.test(name))),
      PATH: windows ? [join(process.execPath, '..'), join(process.env.SystemRoot, 'System32')].join(delimiter) : bin,
      HOME: home,
      USERPROFILE: home,
      HF_HUB_OFFLINE: '1',
    };
  }

  /** An environment for `run` in which some of the machine's programs are there, too. @param {...string} names */
  with(...names) {
    const folder = mkdtempSync(join(this.#folder, 'with-'));
    for (const name of names) {
      const found = process.env.PATH.split(delimiter)
        .map((path) => join(path, name))
        .find(existsSync);
      if (found === undefined) throw new Error(`${name} was not found`);
      symlinkSync(found, join(folder, name));
    }
    return { PATH: [this.#env.PATH, folder].join(delimiter) };
  }

  /** @returns {{ status: number | null, stdout: string, stderr: string }} */
  run(command, args, { cwd, env = {} }) {
    const options = { cwd, env: { ...this.#env, ...env }, encoding: 'utf8', maxBuffer: 1 << 28 };
    const { status, stdout, stderr, error } = spawnSync(command, args, options);
    return { status, stdout: stdout ?? '', stderr: `${error?.message ?? ''}${stderr ?? ''}` };
  }

  /** As `run`, of a command that has to work. @returns {string} what it printed */
  succeed(command, args, options) {
    const { status, stdout, stderr } = this.run(command, args, options);
    if (status !== 0) throw new Error(`${[command, ...args].join(' ')}: status ${status}\n${stdout}${stderr}`.trim());
    return stdout;
  }

  npm(args, options) {
    return this.succeed(process.execPath, [npmProgram(), ...args], options);
  }
}

/** npm as a program of Node: its shell script would look for node by itself. */
export function npmProgram() {
  const beside = [
    join(process.execPath, '..', '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(process.execPath, '..', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    process.env.npm_execpath,
  ];
  const found = beside.find((path) => path?.endsWith('npm-cli.js') && existsSync(path));
  if (found === undefined) throw new Error('npm was not found beside node; run this with: npm run test:install');
  return found;
}
