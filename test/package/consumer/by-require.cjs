'use strict';

require('reflect-metadata');
const common = require('@nestjs/common');
const core = require('@nestjs/core');
const nestTypeorm = require('@nestjs/typeorm');
const typeorm = require('typeorm');
const files = require('nestjs-files');
const fs = require('nestjs-files/storage/fs');
const memory = require('nestjs-files/storage/memory');
const testing = require('nestjs-files/testing');
const { publicEntries, scenario } = require('./scenario.cjs');

(async () => {
  const outcome = await scenario({ nest: { common, core }, nestTypeorm, typeorm, files, fs, memory });
  const imported = await import('nestjs-files');
  const entries = {};
  for (const entry of publicEntries()) entries[entry] = Object.keys(require(entry)).sort();
  const same = imported.FilesService === files.FilesService;
  console.log(JSON.stringify({ ...outcome, same, entries, testing: Object.keys(testing) }));
})();
