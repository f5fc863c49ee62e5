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
import { publicEntries, scenario } from './scenario.cjs';

const outcome = await scenario({ nest: { common, core }, nestTypeorm, typeorm, files, fs, memory });
const entries = {};
for (const entry of publicEntries()) entries[entry] = Object.keys(await import(entry)).sort();
const required = createRequire(import.meta.url)('nestjs-files');
const same = required.FilesService === files.FilesService;
console.log(JSON.stringify({ ...outcome, same, entries, testing: Object.keys(testing) }));
