import 'reflect-metadata';
import { createRequire } from 'node:module';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as nestTypeorm from '@nestjs/typeorm';
import * as typeorm from 'typeorm';
import * as files from 'nestjs-files';
import * as fs from 'nestjs-files/storage/fs';
import * as memory from 'nestjs-files/storage/memory';
import * as testing from 'nestjs-files/testing';
import { scenario } from './scenario.cjs';

const outcome = await scenario({ nest: { common, core }, nestTypeorm, typeorm, files, fs, memory });
const required = createRequire(import.meta.url)('nestjs-files');
const same = required.FilesService === files.FilesService;
console.log(JSON.stringify({ ...outcome, same, exports: Object.keys(files), testing: Object.keys(testing) }));
