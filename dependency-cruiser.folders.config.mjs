/**
 * The same for whole folders: two that import each other are one. Tests beside the source are left out, because a test
 * may look at its subject through any other folder.
 */
import modules, { COMPILED } from './dependency-cruiser.config.mjs';

/** @type {import('dependency-cruiser').IConfiguration} */
const folders = {
  forbidden: [
    {
      name: 'no-folder-circle',
      severity: 'error',
      scope: 'folder',
      comment: 'Move what both folders need into one below them, or hand it over as an argument.',
      from: {},
      to: { circular: true },
    },
  ],
  options: { ...modules.options, exclude: { path: [COMPILED, '[.]test[.]ts$'] } },
};

export default folders;
